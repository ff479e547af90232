//! Where files are: the system's places, the user's, or everything beside one file.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

use super::schema::tidy;

/// The places of one appliance. All paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `adit.toml`.
    pub config: PathBuf,
    /// The server's private key, unless `server.key_file` names another.
    pub key_file: PathBuf,
    /// Peers, index and audit log, unless `server.state_dir` names another.
    pub state_dir: PathBuf,
    /// The control socket; `None`: `control.sock` in the state folder.
    pub control_socket: Option<PathBuf>,
}

const SYSTEM_CONFIG: &str = "/etc/adit/adit.toml";

impl Places {
    /// A system's installation.
    pub fn system() -> Places {
        Places {
            config: SYSTEM_CONFIG.into(),
            key_file: "/etc/adit/keys/server.key".into(),
            state_dir: "/var/lib/adit".into(),
            control_socket: Some("/run/adit/control.sock".into()),
        }
    }

    /// A user's own, by the XDG base directories; `None` where there is neither `HOME` nor what would replace it.
    pub fn user() -> Option<Places> {
        Places::user_from(|name| env::var_os(name).map(PathBuf::from))
    }

    fn user_from(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<Places> {
        // Relative ones are invalid and to be ignored (XDG Base Directory Specification).
        let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
        let below_home = |name: &str, default: &str| absolute(name).or_else(|| Some(absolute("HOME")?.join(default)));
        let config_dir = below_home("XDG_CONFIG_HOME", ".config")?.join("adit");
        Some(Places {
            config: config_dir.join("adit.toml"),
            key_file: config_dir.join("keys/server.key"),
            state_dir: below_home("XDG_STATE_HOME", ".local/state")?.join("adit"),
            control_socket: absolute("XDG_RUNTIME_DIR").map(|dir| dir.join("adit/control.sock")),
        })
    }

    /// Everything beside this file.
    pub fn beside(config: &Path) -> io::Result<Places> {
        let config = tidy(&std::path::absolute(config)?);
        let dir = config.parent().unwrap_or(Path::new("/")).to_owned();
        Ok(Places { key_file: dir.join("keys/server.key"), state_dir: dir.join("state"), control_socket: None, config })
    }

    /// The places of this configuration file: the system's or the user's where it is theirs, otherwise beside it.
    pub fn at(config: &Path) -> io::Result<Places> {
        let beside = Places::beside(config)?;
        let known = [Some(Places::system()), Places::user()].into_iter().flatten();
        Ok(known.into_iter().find(|places| places.config == beside.config).unwrap_or(beside))
    }

    /// The folder of the configuration, from which relative paths start.
    pub fn dir(&self) -> &Path {
        self.config.parent().unwrap_or(Path::new("/"))
    }

    /// The control socket of a daemon that keeps its state in this folder.
    pub fn control_socket(&self, state_dir: &Path) -> PathBuf {
        self.control_socket.clone().unwrap_or_else(|| state_dir.join("control.sock"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_with(variables: &[(&str, &str)]) -> Option<Places> {
        Places::user_from(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn a_user_without_variables_has_the_usual_places() {
        let places = user_with(&[("HOME", "/home/anna")]).unwrap();
        assert_eq!(places.config, Path::new("/home/anna/.config/adit/adit.toml"));
        assert_eq!(places.key_file, Path::new("/home/anna/.config/adit/keys/server.key"));
        assert_eq!(places.state_dir, Path::new("/home/anna/.local/state/adit"));
        assert_eq!(places.control_socket(&places.state_dir), Path::new("/home/anna/.local/state/adit/control.sock"));
    }

    #[test]
    fn variables_move_a_users_places_and_relative_ones_do_not() {
        let variables = [("HOME", "/h"), ("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "s"), ("XDG_RUNTIME_DIR", "/r")];
        let places = user_with(&variables).unwrap();
        assert_eq!(places.config, Path::new("/c/adit/adit.toml"));
        assert_eq!(places.state_dir, Path::new("/h/.local/state/adit"));
        assert_eq!(places.control_socket(&places.state_dir), Path::new("/r/adit/control.sock"));
        assert_eq!(user_with(&[]), None);
    }

    #[test]
    fn a_file_of_its_own_has_everything_beside_it() {
        let places = Places::at(Path::new("/srv/./x/../adit/adit.toml")).unwrap();
        assert_eq!(places.config, Path::new("/srv/adit/adit.toml"));
        assert_eq!(places.key_file, Path::new("/srv/adit/keys/server.key"));
        assert_eq!(places.control_socket(&places.state_dir), Path::new("/srv/adit/state/control.sock"));
        assert_eq!(Places::at(Path::new("/etc/adit/adit.toml")).unwrap(), Places::system());
    }
}
