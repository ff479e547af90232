"""The official Python SDK as a client of adit: finds a document and reads it, over HTTP or over a bridge's stdio.

    client_python.py MODE QUERY PATH TEXT (URL | COMMAND ARGUMENT...)

MODE is the SDK's: `auto` (the newest revision, 2026-07-28), `legacy` (by `initialize`). Exits with 0 if QUERY finds PATH first
and TEXT stands in what `fetch` reads of it.
"""

import asyncio
import sys

from mcp import Client, StdioServerParameters


async def main(mode, query, path, text, *server):
    target = server[0] if server[0].startswith("http") else StdioServerParameters(command=server[0], args=list(server[1:]))
    async with Client(target, mode=mode, read_timeout_seconds=30) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"search", "fetch", "find_document", "list_collections", "get_document_info"} <= tools, tools
        found = (await client.call_tool("search", {"query": query})).structured_content
        first = found["results"][0]
        assert first["path"] == path, found
        read = (await client.call_tool("fetch", {"id": first["id"]})).structured_content
        assert text in read["text"], read
        print(client.protocol_version)


asyncio.run(main(*sys.argv[1:]))
