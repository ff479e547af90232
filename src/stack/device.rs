//! smoltcp's idea of a network interface: at most one packet in, at most one packet out, both in the caller's buffers.

use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// Lives for one poll.
pub(super) struct Device<'a> {
    mtu: usize,
    received: Option<&'a [u8]>,
    buffer: &'a mut [u8],
    written: usize,
}

impl<'a> Device<'a> {
    /// A device that has received `packet` and may send one packet, at most `mtu` bytes, into `buffer`.
    pub(super) fn with_packet(mtu: usize, packet: &'a [u8], buffer: &'a mut [u8]) -> Device<'a> {
        Device { mtu, received: Some(packet), buffer, written: 0 }
    }

    /// A device that has received nothing.
    pub(super) fn without_packet(mtu: usize, buffer: &'a mut [u8]) -> Device<'a> {
        Device { mtu, received: None, buffer, written: 0 }
    }

    /// Length of the packet that was sent; 0 for none.
    pub(super) fn written(&self) -> usize {
        self.written
    }
}

impl phy::Device for Device<'_> {
    type RxToken<'t>
        = RxToken<'t>
    where
        Self: 't;
    type TxToken<'t>
        = TxToken<'t>
    where
        Self: 't;

    fn receive(&mut self, _: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        let packet = self.received.take()?;
        Some((RxToken(packet), TxToken { buffer: self.buffer, written: &mut self.written }))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken<'_>> {
        if self.written > 0 {
            return None;
        }
        Some(TxToken { buffer: self.buffer, written: &mut self.written })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

pub(super) struct RxToken<'t>(&'t [u8]);

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, take: F) -> R {
        take(self.0)
    }
}

pub(super) struct TxToken<'t> {
    buffer: &'t mut [u8],
    written: &'t mut usize,
}

impl phy::TxToken for TxToken<'_> {
    /// The buffer is longer than the MTU, and smoltcp sends nothing longer than the MTU.
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        *self.written = length;
        write(&mut self.buffer[..length])
    }
}
