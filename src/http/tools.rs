//! From a request to a tool: makes the [`Call`] that carries who asks, what it may see, and what it may use.

use std::any::Any;
use std::sync::Arc;

use serde_json::Value;

use super::answer::Question;
use super::refusal::Refusal;
use super::{Appliance, Shell};
use crate::mcp::tools::{self, ToolError};
use crate::mcp::{Arguments, Call, Seal, Threads};
use crate::peer::PeerId;

/// Characters that a token stands for, about: `mcp.answer_tokens` counts tokens.
const TOKEN_CHARS: usize = 4;

struct ShellThreads(Arc<dyn Shell>, PeerId);

impl Threads for ShellThreads {
    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        self.0.blocking(self.1, work);
    }
}

/// The call for one message or request.
pub(super) fn call(appliance: &Appliance, question: &Question) -> Arc<Call> {
    let config = appliance.config.load();
    let mut entropy = [0; 24];
    appliance.shell.fill_random(&mut entropy);
    let hold = question.permit.clone().map(|permit| permit as Arc<dyn Any + Send + Sync>);
    Arc::new(Call {
        library: Arc::clone(&appliance.library),
        scope: question.scope.clone(),
        now: question.started,
        base_url: format!("http://{}", question.host),
        seal: Seal::new(appliance.cursor_key, &question.peer_key, &question.rights(), entropy),
        snippet_chars: config.mcp.answer_tokens.saturating_mul(TOKEN_CHARS),
        revisions: config.mcp.revisions.clone(),
        threads: Arc::new(ShellThreads(Arc::clone(&appliance.shell), question.peer)),
        note: Default::default(),
        hold,
    })
}

/// Runs work that blocks on another thread and waits for it.
pub(super) async fn on_thread<T: Send + 'static>(
    appliance: &Appliance,
    question: &Question,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let (sender, receiver) = futures_channel::oneshot::channel();
    appliance.shell.blocking(
        question.peer,
        Box::new(move || {
            // Whoever waited may be gone by now.
            let _ = sender.send(work());
        }),
    );
    // The sender is dropped unused when the work panicked.
    receiver.await.map_err(|_| Refusal::Internal)
}

/// Asks a tool, for those paths that are tools in another dress.
pub(super) async fn ask(
    appliance: &Appliance,
    question: &mut Question,
    tool: &str,
    arguments: Arguments,
) -> Result<Value, Refusal> {
    let call = call(appliance, question);
    let answer = tools::run(Arc::clone(&call), tool, arguments).await;
    question.notes.push(call.note.lock().clone());
    answer.map_err(refusal)
}

/// The most recently modified documents.
pub(super) async fn recent(
    appliance: &Appliance,
    question: &mut Question,
    arguments: Arguments,
) -> Result<Value, Refusal> {
    let call = call(appliance, question);
    let answer = tools::recent(Arc::clone(&call), arguments).await;
    question.notes.push(call.note.lock().clone());
    answer.map_err(refusal)
}

fn refusal(error: ToolError) -> Refusal {
    match error {
        ToolError::Unknown => Refusal::NotAllowed,
        ToolError::Argument(misfit) => Refusal::Argument(misfit.message),
        ToolError::NotFound => Refusal::NotFound,
        ToolError::Failed => Refusal::Internal,
    }
}
