//! A ring of bytes that grows when it must and is given back when it is empty: what waits to be acknowledged, or to be read.

/// Bytes in the order of their stream. Those at the front are there; behind them, bytes may be put ahead of their time.
#[derive(Debug, Default)]
pub(super) struct Ring {
    bytes: Box<[u8]>,
    head: usize,
    length: usize,
}

impl Ring {
    /// How many bytes are there.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many bytes it holds without growing.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Makes room for so many bytes in all; bytes put ahead of their time stay.
    pub(super) fn grow(&mut self, capacity: usize) {
        if capacity <= self.bytes.len() {
            return;
        }
        let mut bytes = vec![0; capacity].into_boxed_slice();
        let (back, front) = self.bytes.split_at(self.head);
        bytes[..front.len()].copy_from_slice(front);
        bytes[front.len()..front.len() + back.len()].copy_from_slice(back);
        (self.bytes, self.head) = (bytes, 0);
    }

    /// Gives its memory back: what it held is gone.
    pub(super) fn release(&mut self) {
        *self = Ring::default();
    }

    /// Puts bytes `offset` behind the front, where there must be room for them, without counting them as there.
    pub(super) fn put(&mut self, offset: usize, bytes: &[u8]) {
        debug_assert!(offset + bytes.len() <= self.capacity());
        let at = self.place(offset);
        let first = bytes.len().min(self.bytes.len() - at);
        self.bytes[at..at + first].copy_from_slice(&bytes[..first]);
        self.bytes[..bytes.len() - first].copy_from_slice(&bytes[first..]);
    }

    /// Counts bytes that were put right behind those that are there.
    pub(super) fn advance(&mut self, length: usize) {
        debug_assert!(self.length + length <= self.capacity());
        self.length += length;
    }

    /// Appends as many bytes as fit; how many that are.
    pub(super) fn append(&mut self, bytes: &[u8]) -> usize {
        let fitting = bytes.len().min(self.capacity() - self.length);
        if fitting > 0 {
            self.put(self.length, &bytes[..fitting]);
            self.advance(fitting);
        }
        fitting
    }

    /// Copies bytes that are there, from `offset` behind the front.
    pub(super) fn copy(&self, offset: usize, out: &mut [u8]) {
        debug_assert!(offset + out.len() <= self.length);
        if out.is_empty() {
            return;
        }
        let at = self.place(offset);
        let first = out.len().min(self.bytes.len() - at);
        let (start, rest) = out.split_at_mut(first);
        start.copy_from_slice(&self.bytes[at..at + first]);
        rest.copy_from_slice(&self.bytes[..rest.len()]);
    }

    /// Drops bytes from the front.
    pub(super) fn drop_front(&mut self, length: usize) {
        debug_assert!(length <= self.length);
        if length > 0 {
            self.head = self.place(length);
            self.length -= length;
        }
    }

    /// Hands over up to `room` bytes from the front, in one piece or two; how many that are.
    pub(super) fn read(&mut self, room: usize, mut take: impl FnMut(&[u8])) -> usize {
        let length = room.min(self.length);
        let first = length.min(self.bytes.len() - self.head);
        [&self.bytes[self.head..self.head + first], &self.bytes[..length - first]].into_iter().for_each(&mut take);
        self.drop_front(length);
        length
    }

    /// Where the byte so far behind the front lies.
    fn place(&self, offset: usize) -> usize {
        let at = self.head + offset;
        if at >= self.bytes.len() { at - self.bytes.len() } else { at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(ring: &mut Ring, length: usize) -> Vec<u8> {
        let mut out = Vec::new();
        assert_eq!(ring.read(length, |bytes| out.extend_from_slice(bytes)), out.len());
        out
    }

    #[test]
    fn bytes_leave_in_order_across_the_wrap_and_through_growth() {
        let mut ring = Ring::default();
        assert_eq!((ring.append(b"abc"), ring.capacity()), (0, 0));
        ring.grow(4);
        assert_eq!(ring.append(b"abcdef"), 4);
        assert_eq!(read(&mut ring, 3), b"abc");
        assert_eq!(ring.append(b"efg"), 3);
        let mut copied = [0; 2];
        ring.copy(1, &mut copied);
        assert_eq!(&copied, b"ef");
        ring.grow(6);
        assert_eq!(ring.append(b"hijk"), 2);
        assert_eq!(read(&mut ring, 100), b"defghi");
        assert!(ring.is_empty());
    }

    #[test]
    fn what_was_put_ahead_of_its_time_is_there_when_its_time_comes() {
        let mut ring = Ring::default();
        ring.grow(5);
        ring.append(b"xxx");
        ring.drop_front(3);
        ring.put(2, b"cd");
        ring.grow(9);
        ring.put(0, b"ab");
        ring.advance(4);
        assert_eq!(read(&mut ring, 9), b"abcd");
        ring.release();
        assert_eq!((ring.len(), ring.capacity()), (0, 0));
    }
}
