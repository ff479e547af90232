//! MCP on `/mcp`: every revision's flow, the tools, and what is not MCP.

#[path = "mcp/door.rs"]
mod door;
#[path = "mcp/revisions.rs"]
mod revisions;
mod serving;
#[path = "mcp/tools.rs"]
mod tools;
