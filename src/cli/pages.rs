//! `adit completions` and `adit man`: what shells and `man` know of the command line, made from its definition.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;

use super::outcome::{Error, Exit, Outcome, io_failed};
use super::terminal::{print, say};

/// Print what a shell needs to complete adit's commands
///
/// For bash: adit completions bash > ~/.local/share/bash-completion/completions/adit
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Print adit's manual page, or write those of all commands
#[derive(Debug, Args)]
pub struct ManArguments {
    /// The folder to write a page for each command to, such as /usr/local/share/man/man1
    #[arg(value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

pub fn completions(mut command: Command, arguments: &CompletionsArguments) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "adit", &mut script);
    print(&String::from_utf8(script).map_err(Error::failed)?)?;
    Ok(Exit::Done)
}

pub fn man(command: Command, arguments: &ManArguments) -> Outcome {
    let Some(dir) = &arguments.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(Error::failed)?;
        print(&String::from_utf8(page).map_err(Error::failed)?)?;
        return Ok(Exit::Done);
    };
    let written = clap_mangen::generate_to(command, dir);
    written.map_err(io_failed(format_args!("cannot write manual pages to {}", dir.display())))?;
    say(format_args!("a manual page for each command is in {}", dir.display()));
    Ok(Exit::Done)
}
