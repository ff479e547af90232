//! Who may do what: a [`Policy`] of [`Grant`]s in, a [`Scope`] for one caller out. Whatever is searched, read or listed is
//! asked for with a scope, and there are two doors to one: [`Policy::scope`] and [`Scope::owner`].

mod action;
pub mod audit;
mod grant;
pub mod limits;
mod policy;
mod rule;
mod scope;
mod window;

pub use action::{Action, ActionError};
pub use grant::{GRANT_RULES, Grant, GrantError};
pub use policy::Policy;
pub use rule::{RULE_BYTES, Rule, RuleError};
pub use scope::{Extent, Scope, ScopeKey};
pub use window::{Season, Window};
