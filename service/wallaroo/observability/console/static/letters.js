// Dead letters: what failed and why, and what becomes of it: sent once more, or dropped. And the newest results.

import { askRecords } from "./asking.js";
import { Sheet } from "./sheet.js";
import { byId, count, element, indented, keep, moment, plural, setText } from "./shown.js";

const LETTERS_EVERY_MS = 10_000;
const RESULTS_EVERY_MS = 3_000;
const PROGRESS_MS = 400;
const MOST_SHOWN = 100;

/** Fill a part of the page while it is open: at once, and again after a while; what fails is said in `note`. */
function whileOpen(details, note, everyMs, fill) {
  let asking = false;
  const turn = async () => {
    if (asking || !details.open || document.hidden) return;
    asking = true;
    try {
      await fill();
    } catch (error) {
      setText(note, error.message);
    }
    asking = false;
  };
  details.addEventListener("toggle", turn);
  setInterval(turn, everyMs);
  return turn;
}

export class DeadLetters {
  constructor() {
    this.sheet = new Sheet("letter");
    this.dialog = new Plan(() => this.again());
    this.shown = [];
    this.again = whileOpen(byId("letters-view"), byId("letters-note"), LETTERS_EVERY_MS, () => this.#fill());
    for (const id of ["letters-stage", "letters-error"]) byId(id).addEventListener("change", () => this.again());
    byId("letters-replay").addEventListener("click", () => this.dialog.open("replay", this.#open()));
    byId("letters-drop").addEventListener("click", () => this.dialog.open("drop", this.#open()));
    byId("letter-replay").addEventListener("click", () => this.dialog.open("replay", [this.place]));
    byId("letter-drop").addEventListener("click", () => this.dialog.open("drop", [this.place]));
  }

  /** The places of those shown of which nothing has become. */
  #open() {
    return this.shown.filter((each) => each.became === null).map((each) => each.place);
  }

  async #fill() {
    const [stage, error] = [byId("letters-stage").value, byId("letters-error").value];
    const found = await askRecords(`console/dead-letters?${new URLSearchParams({ stage, error })}`);
    this.shown = found.letters;
    options(byId("letters-stage"), "every stage", found.stages);
    options(byId("letters-error"), "every error", found.errors);
    const more = found.found > found.letters.length ? `the newest ${count(found.letters.length)} of ` : "";
    const n = this.#open().length;
    setText(byId("letters-note"), found.found ? `${more}${plural(found.found, "dead letter")} among the newest ${count(found.looked_at)}; ${n ? `${count(n)} open` : "none is open"}.` : "There is none like that among the newest.");
    byId("letters-actions").hidden = n === 0;
    setText(byId("letters-replay"), `Replay ${n === 1 ? "the open one" : `the ${count(n)} open`} …`);
    setText(byId("letters-drop"), `Drop ${n === 1 ? "it" : "them"} …`);
    keep(byId("letters-list"), found.letters, (each) => each.place, (each) => this.#item(each), (li, each) => {
      setText(li.querySelector(".tag"), became(each));
      li.querySelector(".tag").classList.toggle("open", each.became === null);
    });
  }

  #item(each) {
    const button = element("button", { type: "button", class: "link", title: "Open it" }, `${short(each.error)}: ${oneLine(each.message)}`);
    button.addEventListener("click", () => this.#show(each.place));
    const from = [each.stage || "no stage", ...(each.key === null ? [] : [`key ${each.key}`]), ...(each.source ? [`from ${each.source}`] : [])];
    return element("li", {}, element("p", { class: "letter-head" }, button, element("span", { class: "tag" })), element("p", { class: "muted letter-from" }, moment(each.time), ` · ${from.join(" · ")}`));
  }

  async #show(place) {
    this.place = place;
    setText(byId("letter-title"), `Dead letter ${place}`);
    setText(byId("letter-became"), "Asking …");
    byId("letter-body").replaceChildren();
    byId("letter-actions").hidden = true;
    this.sheet.open();
    try {
      const found = await askRecords(`console/dead-letters/at/${place}`);
      if (this.place !== place) return;
      setText(byId("letter-became"), found.became ? `${became(found)}${found.sent_to ? `, as ${found.sent_to}` : ""}` : "Nothing has become of it.");
      byId("letter-actions").hidden = found.became !== null;
      byId("letter-body").replaceChildren(...parts(found));
    } catch (error) {
      setText(byId("letter-became"), error.message);
    }
  }
}

function parts(found) {
  const facts = [
    ["Stage", found.stage], ["Error", found.error], ["Key", found.key ?? "none"], ["Written", moment(found.time)],
    ["Failed at", found.failed_at ?? "–"], ["Came from", found.source ?? "no single record"],
    ...(found.record_time === null ? [] : [["Record's time", moment(found.record_time)]]),
    ...(found.replays ? [["Replayed before", plural(found.replays, "time")]] : []),
  ];
  return [
    element("dl", { class: "facts-list wide" }, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
    element("h3", {}, "Message"), element("pre", { tabindex: 0 }, found.message || "none"),
    element("h3", {}, contentTitle(found)), shownContent(found.content),
    element("h3", {}, "Headers"),
    found.headers.length ? element("dl", { class: "headers" }, ...found.headers.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value ?? "null")])) : element("p", { class: "muted" }, "none"),
  ];
}

function contentTitle({ content, truncated }) {
  const kind = { json: "JSON", text: "text", bytes: "bytes in hexadecimal", none: "none" }[content.kind];
  const cut = [content.is_cut ? "its beginning" : "", truncated ? "cut when it was written" : ""].filter(Boolean).join(", ");
  return `Content: ${[kind, content.kind === "none" ? "" : `${count(content.size)} bytes`, cut].filter(Boolean).join(", ")}`;
}

function shownContent(content) {
  return element("pre", { tabindex: 0, class: content.kind }, content.kind === "json" ? indented(content.text) : content.text || "none");
}

const short = (name) => name.split(".").at(-1) || "no error";
const oneLine = (text) => text.split(/\s+/).join(" ").slice(0, 300);
const became = (each) => ({ replayed: "replayed", dropped: "dropped" }[each.became] ?? (each.replays ? `open, replayed ${count(each.replays)}×` : "open"));

/** The choices of a select; what is chosen stays. */
function options(select, all, values) {
  const chosen = select.value;
  const found = ["", ...new Set([...values, ...(chosen ? [chosen] : [])])].map((value) => ({ value, text: value || all }));
  keep(select, found, (each) => each.value, (each) => element("option", { value: each.value }, each.text), () => {});
}

/** The dialog before something is done: what will be sent where; then how far it is. */
class Plan {
  constructor(done) {
    this.node = byId("plan");
    this.done = done;
    byId("plan-form").addEventListener("submit", (event) => { event.preventDefault(); this.#begin(); });
    byId("plan-cancel").addEventListener("click", () => this.node.close());
    this.node.addEventListener("close", () => { clearTimeout(this.waiting); done(); });
  }

  async open(verb, places) {
    Object.assign(this, { verb, places });
    setText(byId("plan-title"), { replay: "Replay dead letters", drop: "Drop dead letters" }[verb]);
    this.#say("Looking at what would be done; nothing is sent yet.");
    byId("plan-list").replaceChildren();
    byId("plan-progress").hidden = true;
    byId("plan-go").hidden = true;
    setText(byId("plan-cancel"), "Cancel");
    this.node.showModal();
    try {
      this.#show(await askRecords("console/dead-letters/plan", { verb, places }));
    } catch (error) {
      this.#say(error.message, true);
    }
  }

  #say(text, isBad = false) {
    setText(byId("plan-text"), text);
    byId("plan-text").classList.toggle("bad-text", isBad);
  }

  #show({ sendings, drops, refused }) {
    const n = this.verb === "replay" ? sendings.length : drops.length;
    const topics = [...new Set(sendings.map((each) => each.topic))].join(", ");
    const what = this.verb === "replay" ? `${plural(n, "record")} will be sent once more to ${topics}, in order, each once, marked as a replay.` : `${plural(n, "dead letter")} will be noted as dropped. They stay in their topic, and are not replayed.`;
    this.#say(n ? what : "There is nothing to do.");
    const rows = [
      ...sendings.map((each) => [each.to, `${each.key === null ? "no key" : `key ${each.key}`} · of ${each.letters.join(", ")}${each.count > 1 ? ` · for the ${each.count}th time` : ""}`]),
      ...drops.map((each) => [each, ""]),
    ];
    const why = refused.map((each) => [each.place, `cannot be replayed: ${each.why}`]);
    byId("plan-list").replaceChildren(...[...why, ...rows].slice(0, MOST_SHOWN).map(([name, text]) => element("li", {}, element("span", { class: "item-name" }, name), " ", element("span", { class: "muted" }, text))));
    if (rows.length + why.length > MOST_SHOWN) byId("plan-list").append(element("li", { class: "muted" }, `and ${count(rows.length + why.length - MOST_SHOWN)} more`));
    byId("plan-go").hidden = n === 0;
    setText(byId("plan-go"), this.verb === "replay" ? `Send ${plural(n, "record")}` : `Drop ${plural(n, "dead letter")}`);
    if (n) byId("plan-go").focus();
    this.total = n;
  }

  async #begin() {
    byId("plan-go").hidden = true;
    byId("plan-progress").hidden = false;
    byId("plan-progress").removeAttribute("value");
    this.#say("Under way …");
    setText(byId("plan-cancel"), "Close");
    try {
      this.#follow(await askRecords("console/dead-letters/begin", { verb: this.verb, places: this.places }));
    } catch (error) {
      this.#ended(error.message, true);
    }
  }

  async #follow(work) {
    if (!work.is_over) {
      byId("plan-progress").max = this.total;
      if (work.done) byId("plan-progress").value = work.done;
      this.#say(`${count(work.done)} of ${count(this.total)}`);
      this.waiting = setTimeout(async () => {
        try {
          this.#follow(await askRecords("console/dead-letters/progress"));
        } catch (error) {
          this.#ended(error.message, true);
        }
      }, PROGRESS_MS);
      return;
    }
    const what = work.verb === "replay" ? `${plural(work.done, "record")} sent` : `${plural(work.done, "dead letter")} dropped`;
    const left = work.refused.length ? `; ${count(work.refused.length)} could not be replayed` : "";
    this.#ended(work.problem ? `${what}; then: ${work.problem}` : `${what}${left}.`, Boolean(work.problem));
  }

  #ended(text, isBad) {
    byId("plan-progress").hidden = true;
    this.#say(text, isBad);
    byId("plan-cancel").focus();
    this.done();
  }
}

export class Results {
  constructor() {
    whileOpen(byId("results-view"), byId("results-note"), RESULTS_EVERY_MS, async () => {
      const { topics, results } = await askRecords("console/results");
      setText(byId("results-note"), topics.length ? `The ends of ${topics.join(", ")}${results.length ? "" : ": nothing there yet"}.` : "This application writes its results to no topic.");
      keep(byId("results"), results, (each) => `${each.topic} ${each.partition} ${each.offset}`, result, () => {});
    });
  }
}

function result(each) {
  const where = `${each.topic}[${each.partition}]@${each.offset}${each.key === null ? "" : ` · key ${each.key}`}${each.content.is_cut ? " · its beginning" : ""}`;
  return element("li", {}, element("code", { class: "block" }, each.content.text || "nothing"), element("span", { class: "muted" }, moment(each.time), ` · ${where}`));
}
