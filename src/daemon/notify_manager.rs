//! Words to the service manager, where there is one.

use std::time::Duration;

use sd_notify::{NotifyState, notify};

/// It serves.
pub fn ready() {
    say(&[NotifyState::Ready]);
}

/// It is about to end.
pub fn stopping() {
    say(&[NotifyState::Stopping]);
}

/// Says that it lives, twice within the time after which it would be taken for dead. Never, where nobody listens.
pub async fn watchdog() {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval((patience / 2).max(Duration::from_millis(100)));
    loop {
        ticks.tick().await;
        say(&[NotifyState::Watchdog]);
    }
}

fn say(state: &[NotifyState]) {
    if let Err(error) = notify(state) {
        tracing::debug!(%error, "the service manager does not listen");
    }
}
