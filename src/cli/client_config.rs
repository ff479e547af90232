//! `adit client-config`: what to paste so that an agent finds the library.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::outcome::{Error, Exit, Outcome, io_failed};
use super::terminal::{print, say};

/// Print what to paste into an agent's configuration
///
/// With --bridge, the agent starts `adit bridge FILE.conf` itself and needs nothing else on its machine. Without it, the agent
/// speaks to the library's address inside the tunnel, and a WireGuard client must be connected there.
///
/// The text goes to stdout; where it belongs is said on stderr.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The program that is to use the library
    #[arg(value_enum, value_name = "CLIENT")]
    pub client: Client,
    /// The device's configuration, as `adit peer add` made it
    #[arg(long, value_name = "FILE.conf")]
    pub bridge: Option<PathBuf>,
    /// The library's address [default: this machine's own]
    #[arg(long, value_name = "URL", conflicts_with = "bridge")]
    pub url: Option<String>,
}

/// An MCP client that people use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Client {
    /// Claude Code
    ClaudeCode,
    /// Claude Desktop
    ClaudeDesktop,
    /// Cursor
    Cursor,
    /// Visual Studio Code
    #[value(name = "vscode")]
    VsCode,
    /// Codex CLI
    Codex,
    /// Gemini CLI
    Gemini,
}

/// How the client reaches the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// It starts this program with these arguments and speaks over its stdin and stdout.
    Stdio { program: String, arguments: Vec<String> },
    /// It speaks HTTP to this address.
    Http { url: String },
}

/// The snippet and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// What to paste.
    pub text: String,
    /// Where.
    pub place: &'static str,
}

/// Prints the snippet; `own_url` is this machine's own library, where there is one.
pub fn run(arguments: Arguments, own_url: Option<String>) -> Outcome {
    let way = match (arguments.bridge, arguments.url.or(own_url)) {
        (Some(conf), _) => {
            crate::bridge::check(&conf).map_err(super::bridge::not_taken)?;
            bridge(&conf)?
        }
        (None, Some(url)) => http(url)?,
        (None, None) => {
            let message = "there is no library on this machine whose address could be taken";
            let advice = "Say --bridge FILE.conf (the agent starts the tunnel itself),\n\
                          or --url http://ADDRESS/mcp (a WireGuard client is connected).";
            return Err(Error::usage(message).advise(advice));
        }
    };
    let snippet = snippet(arguments.client, &way)?;
    say(snippet.place);
    print(&snippet.text)?;
    Ok(Exit::Done)
}

/// The way over HTTP: adit serves no other kind of address.
fn http(url: String) -> Result<Way, Error> {
    let authority = url.strip_prefix("http://").map(|rest| rest.split('/').next().unwrap_or_default());
    match authority.is_some_and(|authority| !authority.is_empty()) && !url.contains(char::is_whitespace) {
        true => Ok(Way::Http { url }),
        false => Err(Error::usage(format_args!("--url {url}: expected http://ADDRESS/mcp"))),
    }
}

/// The way through a bridge that the client starts. Paths are absolute: clients start programs from folders of their own.
pub fn bridge(conf: &std::path::Path) -> Result<Way, Error> {
    let absolute = conf.canonicalize().map_err(io_failed(format_args!("cannot use {}", conf.display())))?;
    let program = std::env::current_exe().map_err(io_failed("cannot tell where this program is"))?;
    let text = |path: PathBuf| {
        path.into_os_string().into_string().map_err(|path| {
            Error::usage(format_args!("the path {} is not Unicode, which the client's file must be", path.display()))
        })
    };
    Ok(Way::Stdio { program: text(program)?, arguments: vec!["bridge".to_owned(), text(absolute)?] })
}

/// What to paste for this client.
pub fn snippet(client: Client, way: &Way) -> Result<Snippet, Error> {
    let servers = |entry: Value| format!("{:#}\n", json!({ "mcpServers": { "adit": entry } }));
    let url_entry = |kind: &str, key: &str| match way {
        Way::Http { url } if kind.is_empty() => json!({ key: url }),
        Way::Http { url } => json!({ "type": kind, key: url }),
        Way::Stdio { program, arguments } => json!({ "command": program, "args": arguments }),
    };
    let (place, text) = match client {
        Client::ClaudeCode => ("Type this where Claude Code runs:", claude_code(way)),
        Client::ClaudeDesktop => {
            if let Way::Http { .. } = way {
                let message = "Claude Desktop's file takes programs only, and its connectors dial from the cloud, which cannot reach a tunnel";
                return Err(Error::usage(message).advise("Say --bridge FILE.conf"));
            }
            (
                "Merge this into claude_desktop_config.json (Settings, Developer, Edit Config):",
                servers(url_entry("", "")),
            )
        }
        Client::Cursor => ("Merge this into ~/.cursor/mcp.json:", servers(url_entry("", "url"))),
        Client::VsCode => {
            let mut entry = url_entry("http", "url");
            if let Way::Stdio { .. } = way {
                entry["type"] = "stdio".into();
            }
            let text = format!("{:#}\n", json!({ "servers": { "adit": entry } }));
            ("Merge this into .vscode/mcp.json (or run \"MCP: Open User Configuration\"):", text)
        }
        Client::Codex => ("Append this to ~/.codex/config.toml:", codex(way)),
        Client::Gemini => ("Merge this into ~/.gemini/settings.json:", servers(url_entry("", "httpUrl"))),
    };
    Ok(Snippet { text, place })
}

fn claude_code(way: &Way) -> String {
    match way {
        Way::Http { url } => format!("claude mcp add --scope user --transport http adit {}\n", shell_word(url)),
        Way::Stdio { program, arguments } => {
            let words: Vec<_> = arguments.iter().map(|word| shell_word(word)).collect();
            format!("claude mcp add --scope user adit -- {} {}\n", shell_word(program), words.join(" "))
        }
    }
}

/// TOML's basic strings escape as JSON's do.
fn codex(way: &Way) -> String {
    match way {
        Way::Http { url } => format!("[mcp_servers.adit]\nurl = {}\n", Value::from(url.as_str())),
        Way::Stdio { program, arguments } => {
            format!("[mcp_servers.adit]\ncommand = {}\nargs = {}\n", Value::from(program.as_str()), json!(arguments))
        }
    }
}

/// A word that shells take as it is, quoted where it must be.
pub fn shell_word(text: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./:@%+=,".contains(char);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stdio() -> Way {
        Way::Stdio {
            program: "/usr/bin/adit".to_owned(),
            arguments: vec!["bridge".to_owned(), "/home/anna/my laptop.conf".to_owned()],
        }
    }

    fn http() -> Way {
        Way::Http { url: "http://10.94.7.1/mcp".to_owned() }
    }

    #[test]
    fn claude_code_takes_a_line() {
        let line = "claude mcp add --scope user adit -- /usr/bin/adit bridge '/home/anna/my laptop.conf'\n";
        assert_eq!(snippet(Client::ClaudeCode, &stdio()).unwrap().text, line);
        let line = "claude mcp add --scope user --transport http adit http://10.94.7.1/mcp\n";
        assert_eq!(snippet(Client::ClaudeCode, &http()).unwrap().text, line);
    }

    #[test]
    fn json_clients_get_json_in_their_own_shape() {
        let command = json!({ "command": "/usr/bin/adit", "args": ["bridge", "/home/anna/my laptop.conf"] });
        let mut typed = command.clone();
        typed["type"] = "stdio".into();
        let url = "http://10.94.7.1/mcp";
        let table = [
            (Client::ClaudeDesktop, stdio(), json!({ "mcpServers": { "adit": command } })),
            (Client::Cursor, stdio(), json!({ "mcpServers": { "adit": command } })),
            (Client::Cursor, http(), json!({ "mcpServers": { "adit": { "url": url } } })),
            (Client::VsCode, stdio(), json!({ "servers": { "adit": typed } })),
            (Client::VsCode, http(), json!({ "servers": { "adit": { "type": "http", "url": url } } })),
            (Client::Gemini, stdio(), json!({ "mcpServers": { "adit": command } })),
            (Client::Gemini, http(), json!({ "mcpServers": { "adit": { "httpUrl": url } } })),
        ];
        for (client, way, expected) in table {
            let text = snippet(client, &way).unwrap().text;
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected, "{client:?}");
        }
    }

    #[cfg(feature = "server")]
    #[test]
    fn codex_gets_toml() {
        for way in [stdio(), http()] {
            let text = snippet(Client::Codex, &way).unwrap().text;
            let document: toml_edit::DocumentMut = text.parse().unwrap();
            let entry = &document["mcp_servers"]["adit"];
            assert!(entry.get("command").is_some() != entry.get("url").is_some(), "{text}");
        }
    }

    #[test]
    fn claude_desktop_is_not_sent_to_an_address_it_cannot_reach() {
        assert_eq!(snippet(Client::ClaudeDesktop, &http()).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn words_survive_the_shell() {
        for (text, word) in [("a/b", "a/b"), ("", "''"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("$x", "'$x'")] {
            assert_eq!(shell_word(text), word);
        }
    }
}
