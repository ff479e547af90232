//! What a person typed in, an [`Ask`] out: never an error; what could not be used is said.

mod ast;
mod date;
mod lexer;
mod parser;

pub(super) use ast::{Ask, Clause, Filter, Form, Node, Sign, Where, Word};
pub(super) use parser::parse;
