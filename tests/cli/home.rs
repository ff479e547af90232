//! A folder of its own for each test, and the program run in it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A temporary folder with a folder of documents, `docs`.
pub struct Home(TempDir);

/// What a run left behind.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    pub fn new() -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        fs::create_dir(home.path("docs")).unwrap();
        fs::write(home.path("docs/pump.md"), "# The pump\n\nIt hums.\n").unwrap();
        home
    }

    /// The same with a configuration and a key.
    pub fn with_library() -> Home {
        let home = Home::new();
        let run = home.run(["init", "--documents", "docs", "--endpoint", "home.example.org"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        home
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_adit"));
        command.current_dir(self.0.path()).arg("--config").arg(self.path("adit/adit.toml")).args(arguments);
        command.stdin(Stdio::null()).env_remove("NO_COLOR").env("HOME", self.0.path());
        command
    }

    /// Runs `adit --config adit/adit.toml ARGUMENTS…` in the folder.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Permission bits of a file.
    pub fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).symlink_metadata().is_ok()
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }
}

impl Run {
    fn of(output: Output) -> Run {
        Run {
            code: output.status.code().expect("it was not killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts the exit code, and that stderr names all of this.
    #[track_caller]
    pub fn fails_with(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert!(self.stdout.is_empty(), "{}", self.stdout);
        for word in words {
            assert!(self.stderr.contains(word), "{word:?} is not in {:?}", self.stderr);
        }
    }

    /// Asserts success.
    #[track_caller]
    pub fn succeeds(self) -> Run {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self
    }
}
