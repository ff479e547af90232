//! `adit peer add` and `adit peer rotate`: keys are made, and the device's configuration is shown once.

use std::io::IsTerminal;
use std::path::Path;

use super::super::device::{self, Added, ConfFile, Wanted};
use super::super::outcome::{Error, Exit, Outcome};
use super::super::places;
use super::super::qr::Code;
use super::super::terminal::{print, say};
use super::{AddArguments, KeyArguments, RotateArguments, granted, warn_of_unmatched};
use crate::config::{Config, Places};
use crate::control::{ServerReport, Terms};
use crate::name::PeerName;

pub(super) fn add(places: &Places, arguments: AddArguments) -> Outcome {
    let AddArguments { name, grant, keys } = arguments;
    let advice = format!("Begin again: adit peer revoke {name}, then adit peer add {name}");
    make(places, (name, grant.into()), keys, &advice, |config, server, wanted| {
        let added = device::add(places, config, server, wanted)?;
        say(format_args!("added {}", granted(&added.report)));
        warn_of_unmatched(&added.report, config);
        Ok(added)
    })
}

pub(super) fn rotate(places: &Places, arguments: RotateArguments) -> Outcome {
    let RotateArguments { name, keys } = arguments;
    let advice = format!("Begin again: adit peer rotate {name}");
    make(places, (name, Terms::default()), keys, &advice, |config, server, wanted| {
        let rotated = device::rotate(places, config, server, wanted)?;
        let name = &rotated.report.name;
        say(format_args!(
            "{name} has a new key; the old one is dead, and this configuration takes the place of the old one"
        ));
        Ok(rotated)
    })
}

/// Makes a device's keys with `make`, when it is certain that its configuration can be shown.
fn make(
    places: &Places,
    (name, terms): (PeerName, Terms),
    arguments: KeyArguments,
    advice: &str,
    make: impl FnOnce(&Config, &ServerReport, Wanted) -> Result<Added, Error>,
) -> Outcome {
    let config = places::load(places)?;
    let server = device::server(places, &config)?;
    let to_stdout = arguments.conf.as_deref() == Some(Path::new("-"));
    if to_stdout && arguments.qr {
        return Err(Error::usage("--conf - leaves stdout to the configuration: leave out --qr, or say --png FILE"));
    }
    if arguments.qr || arguments.png.is_some() {
        let code = device::largest_code(&server, arguments.keepalive, !arguments.no_psk)?;
        if arguments.qr {
            check_room(&code)?;
        }
    }
    let conf = arguments.conf.as_deref().filter(|_| !to_stdout);
    let conf = conf.map(|path| ConfFile::claim(path, &config)).transpose()?;
    let png = arguments.png.as_deref().map(|path| ConfFile::claim(path, &config)).transpose()?;
    let shown = conf.is_none() && png.is_none() && !arguments.qr;
    let wanted = Wanted {
        name,
        public_key: arguments.public_key,
        preshared_key: !arguments.no_psk,
        terms,
        keepalive_secs: arguments.keepalive,
        endpoint: None,
    };
    let added = make(&config, &server, wanted)?;
    if let Some(conf) = conf {
        conf.write(added.text.as_bytes())?;
        say("The configuration holds the device's private key: move it there, and keep no copy here.");
    }
    if let Some(png) = png {
        png.write(&Code::new(&added.text).map_err(Error::failed)?.png().map_err(Error::failed)?)?;
        say("The picture holds the device's private key: remove it once it is scanned.");
    }
    if shown || to_stdout {
        print(&added.text).map_err(|_| lost(&added.report.name, advice))?;
    }
    if arguments.qr {
        print(&drawn(&Code::new(&added.text).map_err(Error::failed)?)).map_err(|_| lost(&added.report.name, advice))?;
        say("Scan it with the WireGuard app: + , Create from QR code. It is shown this once.");
    }
    Ok(Exit::Done)
}

/// The configuration is shown once, and nobody has seen it.
fn lost(name: &PeerName, advice: &str) -> Error {
    Error::failed(format_args!("the configuration of {name} could not be shown, and is gone")).advise(advice)
}

/// The code as stdout takes it.
fn drawn(code: &Code) -> String {
    match std::io::stdout().is_terminal() {
        true => code.coloured(),
        false => code.plain(),
    }
}

/// Whether the terminal has room for a code; half a code is no code.
pub fn check_room(code: &Code) -> Result<(), Error> {
    match terminal_size::terminal_size_of(std::io::stdout()) {
        Some((width, height)) => fits(code, width.0, height.0),
        None => Ok(()),
    }
}

fn fits(code: &Code, width: u16, height: u16) -> Result<(), Error> {
    let (columns, rows) = code.cells();
    if usize::from(width) >= columns && usize::from(height) >= rows {
        return Ok(());
    }
    let message =
        format!("the QR code needs {columns} columns and {rows} rows, and this terminal has {width} and {height}");
    Err(Error::failed(message).advise("Enlarge the window, or write a picture: --png FILE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_half_code_is_drawn() {
        let code = Code::new("a").unwrap();
        let (columns, rows) = code.cells();
        let (columns, rows) = (columns as u16, rows as u16);
        assert!(fits(&code, columns, rows).is_ok());
        for (width, height) in [(columns - 1, rows), (columns, rows - 1)] {
            let message = fits(&code, width, height).unwrap_err().message;
            assert!(message.contains(&format!("{columns} columns")) && message.contains("--png"), "{message}");
        }
    }
}
