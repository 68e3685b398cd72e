// The page of `qwen-audio serve`: a dialogue with audio over /v1/chat/completions, words over /v1/audio/transcriptions.
"use strict";

const RATE = 16000;
const $ = (id) => document.getElementById(id);

let languages = { en: "English" }; // code -> name, of the server
let said = [];       // the dialogue, as the API has it
let waiting = [];    // audio for the next question: {name, blob}
let answering = null; // AbortController of the answer that is being written
let recorder = null;

const element = (tag, text = "", className = "") => Object.assign(document.createElement(tag), { textContent: text, className });
const button = (text, action) => Object.assign(element("button", text), { type: "button", onclick: action });

function fault(message) {
  $("fault").textContent = message;
  $("fault").hidden = !message;
}

async function call(path, options = {}) {
  const headers = { ...options.headers };
  if ($("key").value) headers.Authorization = `Bearer ${$("key").value}`;
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  if (response.status === 401) $("keyrow").hidden = false;
  const told = await response.json().catch(() => null);
  throw new Error(told?.error?.message ?? `the server answered ${response.status}`);
}

async function base64(blob) {
  const url = await new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(blob);
  });
  return url.slice(url.indexOf(",") + 1);
}

function figure(sound, last) {
  const made = element("figure");
  const player = Object.assign(element("audio"), { controls: true, src: URL.createObjectURL(sound.blob) });
  const caption = element("figcaption", "");
  caption.append(element("span", sound.name), last(made, player));
  made.append(player, caption);
  return made;
}

function wordsOf(sound) {
  return (made, player) => {
    const language = element("select");
    language.setAttribute("aria-label", "Language spoken");
    for (const [code, name] of Object.entries(languages)) language.append(Object.assign(element("option", name), { value: code }));
    const ask = button("Words", async () => {
      ask.disabled = true;
      try {
        const form = new FormData();
        form.append("file", sound.blob, sound.name);
        form.append("language", language.value);
        form.append("response_format", "verbose_json");
        const found = await (await call("v1/audio/transcriptions", { method: "POST", body: form })).json();
        show(made, player, found.words);
        if (found.warnings) made.querySelector(".words").append(element("small", found.warnings.join("; ")));
        fault("");
      } catch (error) { fault(error.message); }
      ask.disabled = false;
    });
    const both = element("span");
    both.append(language, " ", ask);
    return both;
  };
}

function show(made, player, words) {
  made.querySelector(".words")?.remove();
  const line = element("div", words.length ? "" : "no words were heard", "words");
  const places = words.map((word) => {
    const place = button(word.word, () => { player.currentTime = word.start; player.play(); });
    place.title = `${word.start.toFixed(2)} to ${word.end.toFixed(2)} s, confidence ${word.confidence.toFixed(2)}`;
    return place;
  });
  line.append(...places);
  player.ontimeupdate = () => words.forEach((word, n) =>
    places[n].classList.toggle("now", !player.paused && word.start <= player.currentTime && player.currentTime < word.end));
  made.append(line);
}

function drawWaiting() {
  $("waiting").replaceChildren(...waiting.map((sound, n) => figure(sound, () => button("Remove", () => {
    waiting.splice(n, 1);
    drawWaiting();
  }))));
}

function bubble(role) {
  $("hint").hidden = true;
  const made = element("article", "", role);
  $("dialogue").append(made);
  made.scrollIntoView({ block: "end" });
  return made;
}

function state() {
  $("send").textContent = answering ? "Stop" : "Send";
  $("reset").disabled = $("save").disabled = Boolean(answering) || !said.length;
}

async function ask(event) {
  event?.preventDefault();
  if (answering) return answering.abort();
  const text = $("text").value.trim();
  if (!text && !waiting.length) return fault("Write a question, or give audio.");
  fault("");
  answering = new AbortController(); // before anything is waited for: Enter typed twice asks once
  state();
  const sounds = waiting;
  const mine = bubble("user");
  for (const sound of sounds) mine.append(figure(sound, wordsOf(sound)));
  mine.append(text);
  $("text").value = "";
  waiting = [];
  drawWaiting();
  const theirs = bubble("assistant");
  try {
    const content = [];
    for (const sound of sounds) {
      const format = sound.name.split(".").pop();
      content.push({ type: "input_audio", input_audio: { data: await base64(sound.blob), format } });
    }
    if (text) content.push({ type: "text", text });
    const question = { role: "user", content };
    const answer = await stream([...said, question], theirs, answering.signal);
    said.push(question, { role: "assistant", content: answer });
  } catch (error) {
    theirs.remove();
    mine.remove();
    $("text").value = text;
    waiting = sounds;
    drawWaiting();
    fault(error.name === "AbortError" ? "Stopped; the question is not kept." : error.message);
  }
  answering = null;
  state();
  $("text").focus();
}

async function stream(messages, place, signal) {
  const body = JSON.stringify({ messages, stream: true });
  const response = await call("v1/chat/completions", { method: "POST", body, signal, headers: { "Content-Type": "application/json" } });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let answer = "", left = "", notes = [], ended = false;
  for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
    const events = (left + value).split("\n\n");
    left = events.pop();
    for (const event of events) {
      const data = event.replace(/^data: /, "");
      if (data === "[DONE]") { ended = true; continue; }
      const row = JSON.parse(data);
      if (row.error) throw new Error(row.error.message);
      answer += row.choices[0].delta.content ?? "";
      notes = row.warnings ?? notes;
      place.textContent = answer;
      place.scrollIntoView({ block: "end" });
    }
  }
  if (!ended) throw new Error("the server broke off");
  if (!answer) throw new Error(notes.join("; ") || "the model wrote nothing");
  if (notes.length) place.append(element("small", notes.join("; ")));
  return answer;
}

async function record() {
  if (recorder) return recorder.stop();
  try {
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    const pieces = [];
    recorder = new MediaRecorder(microphone);
    recorder.ondataavailable = (event) => pieces.push(event.data);
    recorder.onstop = async () => {
      microphone.getTracks().forEach((track) => track.stop());
      recorder = null;
      $("record").textContent = "Record";
      $("record").classList.remove("on");
      try {
        const blob = await wav(new Blob(pieces));
        waiting.push({ name: `recording ${new Date().toLocaleTimeString()}.wav`, blob });
        drawWaiting();
      } catch (error) { fault(`the recording cannot be read: ${error.message}`); }
    };
    recorder.start();
    $("record").textContent = "Stop recording";
    $("record").classList.add("on");
    fault("");
  } catch (error) { fault(`no microphone: ${error.message}`); }
}

// What the browser recorded, as a wave file of 16 kHz and 16 bits: the server then needs no other decoder.
async function wav(blob) {
  const context = new AudioContext();
  const heard = await context.decodeAudioData(await blob.arrayBuffer());
  await context.close();
  const offline = new OfflineAudioContext(1, Math.max(1, Math.ceil(heard.duration * RATE)), RATE);
  const source = offline.createBufferSource();
  source.buffer = heard;
  source.connect(offline.destination);
  source.start();
  const wave = (await offline.startRendering()).getChannelData(0);
  const view = new DataView(new ArrayBuffer(44 + 2 * wave.length));
  const text = (at, letters) => [...letters].forEach((letter, n) => view.setUint8(at + n, letter.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * wave.length, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true); view.setUint32(28, 2 * RATE, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * wave.length, true);
  wave.forEach((sample, n) => view.setInt16(44 + 2 * n, Math.round(32767 * Math.max(-1, Math.min(1, sample))), true));
  return new Blob([view], { type: "audio/wav" });
}

function save() {
  const blob = new Blob([JSON.stringify({ messages: said })], { type: "application/json" });
  Object.assign(element("a"), { href: URL.createObjectURL(blob), download: "dialogue.json" }).click();
}

function reset() {
  said = [];
  $("dialogue").replaceChildren($("hint"));
  $("hint").hidden = false;
  fault("");
  state();
}

$("ask").onsubmit = ask;
$("text").onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  if (!answering) ask();
};
$("attach").onclick = () => $("files").click();
$("files").onchange = () => {
  waiting.push(...[...$("files").files].map((file) => ({ name: file.name, blob: file })));
  $("files").value = "";
  drawWaiting();
};
$("record").onclick = record;
$("save").onclick = save;
$("reset").onclick = reset;
$("key").onchange = hello;

async function hello() {
  try {
    const { data } = await (await call("v1/models")).json();
    $("model").textContent = data[0].id;
    languages = data[0].languages;
    fault("");
  } catch (error) { fault(error.message); }
}
hello();
