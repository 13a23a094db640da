// Event streams read by eventsource-parser, which needs text: a TextDecoder decodes the bytes, as its readme says, and
// leaves the byte order mark to the parser, which drops one itself.
// Input and output are those of python_decoders.py. The argument is the folder of the package.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const version = JSON.parse(readFileSync(join(folder, "package.json"), "utf-8")).version;
const { createParser } = await import(pathToFileURL(join(folder, "dist", "index.js")));

function read(stream, places) {
  const events = [];
  let retry = null;
  let lastId = "";
  let error = null;
  try {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const parser = createParser({
      onEvent(event) {
        lastId = event.id ?? lastId;
        events.push([event.event ?? "message", event.data, lastId]);
      },
      onRetry(time) {
        retry = time;
      },
    });
    [0, ...places].forEach((start, index) => {
      parser.feed(decoder.decode(stream.subarray(start, places[index]), { stream: true }));
    });
  } catch (raised) {
    error = raised.name;
  }
  return { events, retry, error };
}

const streams = JSON.parse(readFileSync(0, "utf-8"));
const readings = streams.map(({ stream, cuts }) => {
  const bytes = Buffer.from(stream, "base64");
  return cuts.map((places) => read(bytes, places));
});
const call = "`createParser({onEvent, onRetry}).feed(text)`";
process.stdout.write(JSON.stringify({ "eventsource-parser": { version, call, readings } }));
