// What a hostile page tries with a server that its visitor can reach and it cannot. Each attempt says what it could read, or `null`. Each
// search is for a word of its own, by which the server's records tell which attempts came through.
"use strict";

// The server's own answers carry this name in what a search for it finds.
const attack = async (server, wanted) => {
  const search = (mark) => `${server}/api/search?q=${encodeURIComponent(wanted + " " + mark)}`;
  const page = (mark) => `${server}/?q=${encodeURIComponent(wanted + " " + mark)}`;
  const call = (mark) => JSON.stringify({
    jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "search", arguments: { query: wanted + " " + mark } },
  });
  const patience = 2000; // Milliseconds; everything here is on one machine.
  const soon = (promise) => Promise.race([promise, new Promise((done) => setTimeout(() => done(null), patience))]);
  const text = async (answer) => (await (await answer).text()) || null;
  const never = (promise) => promise.catch(() => null);

  const element = (name, attributes, read) => () => new Promise((done) => {
    const it = document.createElement(name);
    it.onload = () => { let found = null; try { found = read(it) || null; } catch { /* Not ours to read. */ } done(found); };
    it.onerror = () => done(null);
    Object.assign(it, attributes);
    document.body.append(it);
  });
  const frame = (it) => it.contentDocument.documentElement.outerHTML;

  const form = (method, enctype, action, mark) => () => new Promise((done) => {
    const target = document.createElement("iframe");
    target.name = "frame-" + mark;
    document.body.append(target);
    const it = document.createElement("form");
    Object.assign(it, { method, enctype, action, target: target.name });
    // With text/plain a name and its value make any JSON: {"jsonrpc": … "x":"=x"}.
    const field = document.createElement("input");
    field.name = enctype === "text/plain" ? call(mark).slice(0, -1) + ',"x":"' : method === "get" ? "q" : "body";
    field.value = enctype === "text/plain" ? 'x"}' : method === "get" ? wanted + " " + mark : call(mark);
    it.append(field);
    document.body.append(it);
    target.onload = () => { let found = null; try { found = frame(target); } catch { /* Not ours to read. */ } done(found); };
    it.submit();
  });

  const post = (mode, kind, mark, more) => () => text(fetch(server + "/mcp", {
    method: "POST", mode, body: call(mark), headers: { "content-type": kind }, ...more,
  }));
  const stream = (make) => () => new Promise((done) => {
    const it = make();
    it.onmessage = (event) => done(event.data);
    it.onopen = () => done("open");
    it.onerror = () => done(null);
  });
  const beacon = (kind, mark) => () => new Promise((done) => {
    navigator.sendBeacon(server + "/mcp", new Blob([call(mark)], { type: kind }));
    setTimeout(() => done(null), 500); // Its answer is nobody's.
  });

  const attempts = {
    // First, while the click that led here still counts as one.
    "popup": async () => {
      const it = open(page("popup"));
      if (!it) return null;
      await new Promise((done) => setTimeout(done, 1000));
      try { return it.document.documentElement.outerHTML; } finally { it.close(); }
    },
    "fetch": () => text(fetch(search("fetch"))),
    "fetch-with-credentials": () => text(fetch(search("fetch-with-credentials"), { credentials: "include" })),
    "fetch-authorised": () => text(fetch(search("fetch-authorised"), { headers: { authorization: "Bearer x" } })),
    "fetch-no-cors": () => text(fetch(search("fetch-no-cors"), { mode: "no-cors", credentials: "include" })),
    "fetch-health": () => text(fetch(server + "/_health")),
    "fetch-metrics": () => text(fetch(server + "/metrics")),
    "fetch-discovery": () => text(fetch(server + "/.well-known/oauth-protected-resource")),
    "fetch-put": () => text(fetch(search("fetch-put"), { method: "PUT", body: "x" })),
    "fetch-delete": () => text(fetch(search("fetch-delete"), { method: "DELETE" })),
    "request": () => new Promise((done) => {
      const it = new XMLHttpRequest();
      it.onload = () => done(it.responseText);
      it.onerror = () => done(null);
      it.open("GET", search("request"));
      it.withCredentials = true;
      it.send();
    }),
    "post-json": post("cors", "application/json", "post-json"),
    "post-json-credentials": post("cors", "application/json", "post-json-credentials", { credentials: "include" }),
    "post-text": post("cors", "text/plain", "post-text"),
    "post-no-cors": post("no-cors", "text/plain", "post-no-cors", { credentials: "include" }),
    "post-keepalive": post("no-cors", "text/plain", "post-keepalive", { keepalive: true }),
    "beacon-text": beacon("text/plain", "beacon-text"),
    "beacon-json": beacon("application/json", "beacon-json"),
    "form-text": form("post", "text/plain", server + "/mcp", "form-text"),
    "form-urlencoded": form("post", "application/x-www-form-urlencoded", server + "/mcp", "form-urlencoded"),
    "form-multipart": form("post", "multipart/form-data", server + "/mcp", "form-multipart"),
    "form-get": form("get", "application/x-www-form-urlencoded", server + "/", "form-get"),
    "image": element("img", { src: search("image") }, (it) => it.naturalWidth && "a picture"),
    "script": element("script", { src: search("script") }, () => "ran"),
    "module": element("script", { type: "module", src: search("module") }, () => "ran"),
    "style": element("link", { rel: "stylesheet", href: page("style") }, (it) => it.sheet && "read"),
    "prefetch": element("link", { rel: "prefetch", href: search("prefetch") }, () => null),
    "frame": element("iframe", { src: page("frame") }, frame),
    "frame-data": element("iframe", { src: search("frame-data") }, frame),
    "frame-sandboxed": element("iframe", { sandbox: "allow-scripts", src: page("frame-sandboxed") }, frame),
    "object": element("object", { data: page("object") }, frame),
    "embed": element("embed", { src: page("embed") }, () => null),
    "video": element("video", { src: search("video"), autoplay: true }, () => null),
    "import": () => import(search("import")).then(() => "ran"),
    "worker": () => new Promise((done) => {
      const code = `try { importScripts(${JSON.stringify(search("worker"))}); postMessage("ran") } catch { postMessage(null) }`;
      new Worker(URL.createObjectURL(new Blob([code]))).onmessage = (event) => done(event.data);
    }),
    "socket": stream(() => new WebSocket(server.replace("http", "ws") + "/mcp")),
    "events": stream(() => new EventSource(search("events"))),
    "events-mcp": stream(() => new EventSource(server + "/mcp", { withCredentials: true })),
    "null-origin": () => new Promise((done) => {
      // A sandboxed frame has the origin "null".
      const it = document.createElement("iframe");
      it.sandbox = "allow-scripts";
      const body = JSON.stringify(call("null-origin"));
      it.srcdoc = `<script>fetch(${JSON.stringify(server + "/mcp")}, { method: "POST", body: ${body} })
        .then((answer) => answer.text(), () => null).then((text) => parent.postMessage(text, "*"))<\/script>`;
      addEventListener("message", (event) => done(event.data), { once: true });
      document.body.append(it);
    }),
  };

  const outcomes = {};
  for (const [name, attempt] of Object.entries(attempts)) outcomes[name] = await soon(never((async () => attempt())()));
  return outcomes;
};
