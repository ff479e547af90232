//! MCP: tools, resources and prompts, one file each; arguments in, answers out. Knows the library and scopes, and nothing of tunnels or HTTP.
