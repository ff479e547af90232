//! What a worker and its pool say to each other on the worker's stdin and stdout: a frame is the length of a JSON header (4 bytes,
//! little endian), the length of a body (8 bytes), the header, the body.
//!
//! A worker begins with its [`Confinement`](super::confine::Confinement), without a body: nothing is asked of one that did not say it.
//! Asked: [`Request`] with the document as the body. Answered: [`Answer`] with the text as the body.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{ExtractLimits, Extracted, Format, Refusal};

/// Bytes in front of a header.
pub const PREFIX_BYTES: usize = 12;

/// What a worker is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// What the document is.
    pub format: Format,
    /// What may come out.
    pub limits: ExtractLimits,
    /// Processor time that this document may take, in seconds.
    pub cpu_secs: u64,
}

/// What a worker answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Answer {
    /// Everything but the text, which is the body.
    Extracted(Box<Extracted>),
    /// Why not.
    Refused(Refusal),
}

/// The beginning of a frame whose body is to follow.
pub fn begin_frame(header: &impl Serialize, body_bytes: u64) -> Vec<u8> {
    let header = serde_json::to_vec(header).expect("the words of a frame are plain structures with string keys");
    let mut frame = Vec::with_capacity(PREFIX_BYTES + header.len());
    frame.extend((header.len() as u32).to_le_bytes());
    frame.extend(body_bytes.to_le_bytes());
    frame.extend(header);
    frame
}

/// Lengths of a header and a body, if they are within these bounds.
pub fn parse_prefix(prefix: [u8; PREFIX_BYTES], max_header: usize, max_body: u64) -> io::Result<(usize, u64)> {
    let [h0, h1, h2, h3, body @ ..] = prefix;
    let header = u32::from_le_bytes([h0, h1, h2, h3]) as usize;
    let body = u64::from_le_bytes(body);
    if header > max_header || body > max_body {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame beyond its bounds"));
    }
    Ok((header, body))
}

/// Reads a whole frame; `None` where the other side has ended.
pub(super) fn read_frame<T: DeserializeOwned>(
    from: &mut impl Read,
    max_header: usize,
) -> io::Result<Option<(T, Vec<u8>)>> {
    let mut prefix = [0; PREFIX_BYTES];
    match from.read_exact(&mut prefix) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let (header_bytes, body_bytes) = parse_prefix(prefix, max_header, u64::MAX)?;
    let mut header = vec![0; header_bytes];
    from.read_exact(&mut header)?;
    // What is announced is not believed: the buffer grows with what comes.
    let mut body = Vec::new();
    from.take(body_bytes).read_to_end(&mut body)?;
    if body.len() as u64 != body_bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some((serde_json::from_slice(&header)?, body)))
}

/// Writes a whole frame.
pub(super) fn write_frame(to: &mut impl Write, header: &impl Serialize, body: &[u8]) -> io::Result<()> {
    to.write_all(&begin_frame(header, body.len() as u64))?;
    to.write_all(body)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written_and_within_bounds() {
        let request = Request { format: Format::Pdf, limits: ExtractLimits::default(), cpu_secs: 30 };
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &request, b"body").unwrap();
        let (header, body) = read_frame::<Request>(&mut bytes.as_slice(), 1000).unwrap().unwrap();
        assert_eq!((header.format, header.limits, body.as_slice()), (Format::Pdf, request.limits, b"body".as_slice()));
        assert!(read_frame::<Request>(&mut bytes.as_slice(), 10).is_err());
        assert!(read_frame::<Request>(&mut &bytes[..bytes.len() - 1], 1000).is_err());
        assert!(read_frame::<Request>(&mut [].as_slice(), 1000).unwrap().is_none());
    }
}
