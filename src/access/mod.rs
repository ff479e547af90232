//! Who may do what: a [`Policy`] of [`Grant`]s in, a [`Scope`] for one caller out. Whatever is searched, read or listed is
//! asked for with a scope, and there are two doors to one: [`Policy::scope`] and [`Scope::owner`].

use std::collections::HashMap;

use crate::name::CollectionName;
use crate::peer::PeerId;

/// Something a caller may be allowed to do. `adit.toml` and `peer add --scopes` call these scopes, by their lower-case names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Search, with snippets.
    Search,
    /// Read documents whole, as text or in their original form.
    Read,
    /// List collections and folders, and look at what documents are.
    Browse,
    /// Ask whether the appliance is well.
    Health,
    /// Read its metrics.
    Metrics,
}

/// What one peer may do. (Shape of this issue: collections; folders, times and networks come later.)
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// Globs over collection names; `*` includes those to come.
    pub collections: Vec<String>,
    /// What may be done in them.
    pub actions: Vec<Action>,
}

/// All grants, as of one change.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    generation: u64,
    grants: HashMap<PeerId, Grant>,
}

impl Policy {
    /// The policy of these grants; `generation` rises with every change.
    pub fn new(generation: u64, grants: impl IntoIterator<Item = (PeerId, Grant)>) -> Policy {
        Policy { generation, grants: grants.into_iter().collect() }
    }

    /// What this peer may see and do now. A peer without a grant gets nothing.
    pub fn scope(&self, _peer: PeerId) -> Option<Scope> {
        todo!()
    }
}

/// What one caller may see and do, as of one policy. Goes into every question put to the library.
#[derive(Debug, Clone)]
pub struct Scope {
    _todo: (),
}

#[allow(unused_variables)]
impl Scope {
    /// The owner at the machine: everything. Made by `control` alone.
    pub fn owner() -> Scope {
        todo!()
    }

    /// Whether this may be done at all.
    pub fn allows(&self, action: Action) -> bool {
        todo!()
    }

    /// Whether a collection is in scope.
    pub fn admits(&self, collection: &CollectionName) -> bool {
        todo!()
    }
}
