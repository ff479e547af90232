//! A device's configuration as a QR code, for phones: on the terminal, black on white whatever its colours, or as a PNG.

use qrcode::{Color, EcLevel, QrCode, Version};

/// The largest code drawn: 69 modules, hence 77 × 39 cells with the quiet zone and two modules to a cell.
const LARGEST: i16 = 13;

/// Blank modules around the code (ISO/IEC 18004 §5.3.8).
const QUIET: usize = 4;

/// Pixels of a module in a picture.
const PIXELS: usize = 8;

/// A code with its quiet zone.
#[derive(Debug)]
pub struct Code {
    size: usize,
    dark: Vec<bool>,
}

/// The text does not fit the largest code that is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is too long for a QR code of 77 × 39 cells; is the endpoint's name very long?")]
pub struct TooLong;

impl Code {
    /// The smallest code for a text, at the lowest level of error correction: a screen is clean, and a smaller code fits more of them.
    pub fn new(text: &str) -> Result<Code, TooLong> {
        let fit = |version| QrCode::with_version(text, Version::Normal(version), EcLevel::L).ok();
        let code = (1..=LARGEST).find_map(fit).ok_or(TooLong)?;
        let size = code.width() + 2 * QUIET;
        let mut dark = vec![false; size * size];
        for (index, color) in code.to_colors().into_iter().enumerate() {
            let (x, y) = (index % code.width() + QUIET, index / code.width() + QUIET);
            dark[y * size + x] = color == Color::Dark;
        }
        Ok(Code { size, dark })
    }

    /// Columns and rows of cells on a terminal.
    pub fn cells(&self) -> (usize, usize) {
        (self.size, self.size.div_ceil(2))
    }

    /// For a terminal, with colours of its own: entries 16 and 231 of the 256 are black and white in every theme.
    pub fn coloured(&self) -> String {
        self.rows().map(|row| format!("\x1b[38;5;16;48;5;231m{row}\x1b[0m\n")).collect()
    }

    /// Without colours: right where the background is light.
    pub fn plain(&self) -> String {
        self.rows().map(|row| row + "\n").collect()
    }

    /// Two modules, one above the other, to a cell.
    fn rows(&self) -> impl Iterator<Item = String> {
        (0..self.size).step_by(2).map(|y| {
            let cell = |x| match (self.is_dark(x, y), self.is_dark(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            };
            (0..self.size).map(cell).collect()
        })
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        self.dark.get(y * self.size + x).copied().unwrap_or(false)
    }

    /// As a picture of one bit per pixel. Its bytes hold the private key as much as the text does.
    pub fn png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let pixels = self.size * PIXELS;
        let line = |y: usize| (0..pixels).map(move |x| !self.is_dark(x / PIXELS, y / PIXELS));
        let mut bits = Vec::with_capacity(pixels.div_ceil(8) * pixels);
        for y in 0..pixels {
            let white: Vec<bool> = line(y).collect();
            bits.extend(
                white
                    .chunks(8)
                    .map(|bits| bits.iter().rev().enumerate().map(|(i, bit)| u8::from(*bit) << i).sum::<u8>()),
            );
        }
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, pixels as u32, pixels as u32);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&bits)?;
        writer.finish()?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As long as a device's configuration with both families, a preshared key and a keepalive.
    fn configuration() -> String {
        let key = "QGqjFqHUyjLUGFbxGSKXkPBJyYkWNBYnfFsRTk7rVVE=";
        format!(
            "[Interface]\nPrivateKey = {key}\nAddress = 10.94.255.254/32, fd7a:5c1e:90ab::ffff/128\nMTU = 1280\n\n[Peer]\n\
             PublicKey = {key}\nPresharedKey = {key}\nAllowedIPs = 10.94.7.1/32, fd7a:5c1e:90ab::1/128\n\
             Endpoint = home.example.org:51820\nPersistentKeepalive = 25\n"
        )
    }

    #[test]
    fn a_configuration_fits_77_by_39_cells() {
        let (columns, rows) = Code::new(&configuration()).unwrap().cells();
        assert!(columns <= 77 && rows <= 39, "{columns} × {rows}");
    }

    #[test]
    fn the_terminals_code_is_read_back() {
        let code = Code::new(&configuration()).unwrap();
        let rows: Vec<Vec<char>> = code.plain().lines().map(|line| line.chars().collect()).collect();
        let is_dark = |x: usize, y: usize| match (rows[y / 2][x], y % 2) {
            ('█', _) | ('▀', 0) | ('▄', 1) => true,
            ('▀' | '▄' | ' ', _) => false,
            (other, _) => panic!("{other:?} is no part of a code"),
        };
        let mut image =
            rqrr::PreparedImage::prepare_from_bitmap(4 * code.size, 4 * code.size, |x, y| is_dark(x / 4, y / 4));
        let (_, text) = image.detect_grids()[0].decode().unwrap();
        assert_eq!(text, configuration());
    }

    #[test]
    fn the_picture_is_read_back() {
        let bytes = Code::new(&configuration()).unwrap().png().unwrap();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let width = info.width as usize;
        let mut image =
            rqrr::PreparedImage::prepare_from_bitmap(width, info.height as usize, |x, y| pixels[y * width + x] < 128);
        let (_, text) = image.detect_grids()[0].decode().unwrap();
        assert_eq!(text, configuration());
    }

    #[test]
    fn the_colours_are_the_codes_own() {
        let code = Code::new("a").unwrap();
        for line in code.coloured().lines() {
            assert!(line.starts_with("\x1b[38;5;16;48;5;231m") && line.ends_with("\x1b[0m"));
        }
    }

    #[test]
    fn a_text_too_long_is_refused() {
        assert_eq!(Code::new(&"a".repeat(426)).err(), Some(TooLong));
        assert!(Code::new(&"a".repeat(425)).is_ok());
    }
}
