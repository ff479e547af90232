// The official TypeScript SDK as a client of adit; the same arguments and the same checks as client_python.py.
import assert from "node:assert/strict";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const [mode, query, path, text, ...server] = process.argv.slice(2);
const transport = server[0].startsWith("http")
  ? new StreamableHTTPClientTransport(new URL(server[0]))
  : new StdioClientTransport({ command: server[0], args: server.slice(1), env: process.env });
const client = new Client({ name: "adit-client-tests", version: "1.0.0" }, { versionNegotiation: { mode } });
await client.connect(transport);
const { tools } = await client.listTools();
for (const name of ["search", "fetch", "find_document", "list_collections", "get_document_info"]) {
  assert(tools.some((tool) => tool.name === name), `no tool ${name}`);
}
const found = (await client.callTool({ name: "search", arguments: { query } })).structuredContent;
assert.equal(found.results[0].path, path);
const read = (await client.callTool({ name: "fetch", arguments: { id: found.results[0].id } })).structuredContent;
assert(read.text.includes(text), read.text);
await client.close();
