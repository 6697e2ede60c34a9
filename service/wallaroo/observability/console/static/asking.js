// Questions to the service: with the token that this tab has, which is never part of an address.

const ANSWER_MS = 5000;
// Reading records takes longer.
const RECORDS_MS = 30_000;
const TOKEN = "wallaroo-token";

/** The service does not let us read. */
export class Refused extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export const keepToken = (token) => sessionStorage.setItem(TOKEN, token);

/** The answer to a GET, or to a POST of JSON if there is a body; throws Refused where the token is missing or wrong. */
export async function ask(path, { body, signal = AbortSignal.timeout(ANSWER_MS) } = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { accept: "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
  if (body) headers["content-type"] = "application/json";
  const how = { headers, cache: "no-store", credentials: "same-origin", signal };
  const answer = await fetch(path, body ? { ...how, method: "POST", body: JSON.stringify(body) } : how);
  // Of a state and of records 403 says that they are not shown, of all else that there is no token to have.
  const isOpen = /^(state|console\/(dead-letters|results))/.test(path);
  if (answer.status === 401 || (answer.status === 403 && !isOpen)) throw new Refused(answer.status, await errorOf(answer));
  return answer;
}

export async function errorOf(answer) {
  try {
    return (await answer.json()).error ?? `status ${answer.status}`;
  } catch {
    return `status ${answer.status}`;
  }
}

export async function askJson(path, options) {
  const answer = await ask(path, options);
  if (!answer.ok) throw new Error(await errorOf(answer));
  return answer.json();
}

/** As `askJson`, for pages that read records: an error always has a text for whoever looks. */
export async function askRecords(path, body) {
  try {
    return await askJson(path, { body, signal: AbortSignal.timeout(RECORDS_MS) });
  } catch (error) {
    const isSilent = error instanceof TypeError || error.name === "TimeoutError";
    throw isSilent ? new Error("The service does not answer; try again in a moment.") : error;
  }
}

/** The server-sent events of a page, each as [name, data], until it ends; silence is an error. */
export async function* events(path, silenceMs, stop) {
  let heard;
  const listen = () => {
    clearTimeout(heard);
    heard = setTimeout(() => stop.abort(), silenceMs);
  };
  listen();
  try {
    const answer = await ask(path, { signal: stop.signal });
    if (!answer.ok) throw new Error(await errorOf(answer));
    let text = "";
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      listen();
      const parts = (text + value).split("\n\n");
      text = parts.pop();
      for (const part of parts) yield eventOf(part);
    }
  } finally {
    clearTimeout(heard);
    stop.abort();
  }
}

function eventOf(text) {
  const fields = new Map(text.split("\n").map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]));
  return [fields.get("event"), fields.get("data")];
}
