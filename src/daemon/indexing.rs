//! (placeholder, not committed)
#![allow(missing_docs)]
use crate::config::Config;
use crate::name::CollectionName;
use crate::search::Library;
use std::sync::Arc;
use tokio::sync::watch;
#[derive(Clone, Default, Debug)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
    pub watching: bool,
}
impl Progress {
    pub fn pending(&self) -> u64 {
        0
    }
    pub fn activity(&self) -> String {
        String::new()
    }
}
pub struct Indexer(watch::Sender<Progress>);
impl Indexer {
    pub fn start(_: &Config, _: Arc<Library>) -> Indexer {
        Indexer(watch::channel(Progress::default()).0)
    }
    pub fn subscribe(&self) -> watch::Receiver<Progress> {
        self.0.subscribe()
    }
    pub fn progress(&self) -> Progress {
        self.0.borrow().clone()
    }
    pub fn warnings(&self) -> Vec<String> {
        vec![]
    }
    pub fn rebuild(&self, _: Option<CollectionName>) {}
    pub fn reconfigure(&self, _: &Config) {}
    pub async fn stop(&self) {}
}
