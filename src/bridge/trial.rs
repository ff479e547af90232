//! A server tried out as an agent would use it: messages in, its answers out.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::pool::Pool;
use super::way::Way;
use super::{BridgeError, file, host, stdio};
use crate::config::wireguard::DeviceConfig;
use crate::limits::{BRIDGE_ANSWER_BYTES, BRIDGE_THREADS, TRIAL_SECS};

/// Sends messages one after the other, each when the one before is answered, as the device of this file: beside other bridges of its
/// key. Returns an answer per request; a message without an `id` has none. After an error no more are sent.
pub fn try_file(file: &Path, messages: &[Value]) -> Result<Vec<Value>, BridgeError> {
    let config = file::read(file)?;
    try_out(config.clone(), Way::new(config), messages)
}

/// The same, as a device whose key nobody else has.
pub fn try_alone(config: DeviceConfig, messages: &[Value]) -> Result<Vec<Value>, BridgeError> {
    try_out(config.clone(), Way::alone(config), messages)
}

fn try_out(config: DeviceConfig, way: Way, messages: &[Value]) -> Result<Vec<Value>, BridgeError> {
    let runtime =
        Builder::new_multi_thread().worker_threads(BRIDGE_THREADS).enable_all().build().map_err(BridgeError::Start)?;
    let Some(address) = file::server_address(&config) else { return Ok(Vec::new()) };
    runtime.block_on(async {
        let way = Arc::new(way);
        let (ours, theirs) = tokio::io::duplex(BRIDGE_ANSWER_BYTES);
        let (input, output) = tokio::io::split(theirs);
        let pool = Pool::new(Arc::clone(&way));
        let serving = tokio::spawn(async move { stdio::serve(pool, host(address), input, output).await });
        // What takes longer is no answer any more.
        let mut answers = Vec::new();
        let _ = timeout(Duration::from_secs(TRIAL_SECS), converse(ours, messages, &mut answers)).await;
        serving.abort();
        way.close().await;
        Ok(answers)
    })
}

async fn converse(agent: DuplexStream, messages: &[Value], answers: &mut Vec<Value>) -> std::io::Result<()> {
    let mut agent = BufReader::new(agent);
    for message in messages {
        agent.write_all(format!("{message}\n").as_bytes()).await?;
        if message.get("id").is_none() {
            continue;
        }
        let mut line = String::new();
        agent.read_line(&mut line).await?;
        let answer: Value = serde_json::from_str(&line)?;
        let is_error = answer.get("error").is_some();
        answers.push(answer);
        if is_error {
            break;
        }
    }
    Ok(())
}
