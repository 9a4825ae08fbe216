"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const embedded = at("model"); // in the file that works offline: the model and what computes with it

  // ---- Who answers: a picture's bytes become what `dnn predict --json` has of it. ----

  let token = "";

  async function askServer(bytes) {
    const headers = { "Content-Type": "application/octet-stream" };
    if (token) headers.Authorization = "Bearer " + token;
    const response = await fetch("/v1/explain?prepared=true", { method: "POST", headers, body: bytes });
    at("token-form").hidden = response.status !== 401;
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.detail);
    return answer;
  }

  const fromBase64 = (text) => Uint8Array.from(atob(text.trim()), (c) => c.charCodeAt(0));
  let code; // compiled once
  let machine; // with the model loaded; made anew when it broke down

  function call(input, work) {
    const { memory, input_buffer, output } = machine.exports;
    const start = input_buffer(input.length); // may move the memory
    new Uint8Array(memory.buffer, start, input.length).set(input);
    const length = work(machine.exports);
    const text = new Uint8Array(memory.buffer, output(), length);
    return JSON.parse(new TextDecoder().decode(text));
  }

  async function askMachine(bytes) {
    code ??= await WebAssembly.compile(fromBase64(at("wasm").textContent));
    if (!machine) {
      machine = await WebAssembly.instantiate(code, {});
      const loaded = call(fromBase64(embedded.textContent), (exports) => exports.load());
      if (loaded.detail) throw new Error(loaded.detail);
    }
    let answer;
    try {
      answer = call(bytes, (exports) => exports.ask());
    } catch (error) {
      machine = undefined; // after a trap its memory is not to be trusted
      throw new Error("the picture takes more memory than there is");
    }
    if (answer.detail) throw new Error(answer.detail);
    return answer;
  }

  const ask = embedded ? askMachine : askServer;

  // ---- What is shown ----

  const percent = (p) => (100 * p).toFixed(p > 0.9995 || p < 0.0005 ? 3 : 1) + " %";

  function certainty(probability, nClasses) {
    const inHundred = Math.round(100 * probability);
    if (probability >= 0.995) return "The network is almost certain.";
    if (probability >= 0.9) return `The network is confident: about ${inHundred} of 100 such answers should be right.`;
    if (probability >= 0.7) return `The network leans to it: about ${inHundred} of 100 such answers should be right.`;
    if (nClasses === 2) return "The network is not sure: it could as well be the other one.";
    return "The network is not sure: other classes are nearly as probable.";
  }

  function showSaliency(map) {
    at("looked").hidden = !map;
    if (!map) return;
    const canvas = at("saliency");
    [canvas.width, canvas.height] = [map.width, map.height];
    const draw = canvas.getContext("2d");
    const most = map.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
    const picture = draw.createImageData(map.width, map.height);
    map.values.forEach((value, i) => {
      const strength = Math.abs(value) / most;
      const colour = value > 0 ? [240, 120, 20] : [40, 120, 220];
      picture.data.set([...colour, Math.round(255 * strength)], 4 * i);
    });
    draw.putImageData(picture, 0, 0);
    canvas.style.backgroundImage = `url(${at("prepared").src})`;
    canvas.style.backgroundSize = "100% 100%";
    canvas.setAttribute("aria-label", "The pixels that the answer rests on, over the picture");
  }

  function show(answer, url) {
    const said = answer.predictions[0];
    at("verdict").textContent = `${said.class}: ${percent(said.probability)}`;
    at("certainty").textContent = certainty(said.probability, answer.classes.length);
    URL.revokeObjectURL(at("original").src);
    at("original").src = url;
    at("original-size").textContent = `Your picture, ${said.width} × ${said.height}`;
    at("prepared").src = "data:image/png;base64," + said.prepared;
    at("prepared").onload = () => {
      const { naturalWidth, naturalHeight } = at("prepared");
      at("prepared-size").textContent = `What the network sees, ${naturalWidth} × ${naturalHeight}`;
    };
    showSaliency(said.saliency);
    const order = said.probabilities.map((p, i) => [p, i]).sort((a, b) => b[0] - a[0]).slice(0, 20);
    at("classes").replaceChildren(...order.map(([p, i]) => {
      const row = document.createElement("tr");
      row.className = i === said.index ? "best" : "";
      const name = document.createElement("th");
      name.scope = "row";
      name.textContent = answer.classes[i];
      const value = document.createElement("td");
      const bar = document.createElement("span");
      bar.className = "bar";
      bar.style.width = 100 * p + "%";
      value.append(percent(p), bar);
      row.append(name, value);
      return row;
    }));
    at("result").dataset.probability = said.probability; // all its digits
    at("result").hidden = false;
    at("verdict").focus({ preventScroll: true });
    // Their sizes move what is below.
    const loaded = ["original", "prepared"].map((id) => at(id).decode().catch(() => {}));
    Promise.all(loaded).then(() => at("result").scrollIntoView({ block: "nearest" }));
  }

  function fail(words) {
    at("error").textContent = words;
    at("error").hidden = false;
    at("result").hidden = true;
  }

  let turn = 0; // the last picture wins

  async function look(picture) {
    const mine = ++turn;
    at("error").hidden = true;
    at("status").textContent = "Looking …";
    try {
      const bytes = new Uint8Array(await picture.arrayBuffer());
      await new Promise((resolve) => setTimeout(resolve)); // shows the words above
      const answer = await ask(bytes);
      if (mine === turn) show(answer, URL.createObjectURL(picture));
    } catch (error) {
      const lost = error instanceof TypeError;
      if (mine === turn) fail(lost ? "The server does not answer." : `No answer: ${error.message}.`);
    }
    if (mine === turn) at("status").textContent = "";
  }

  // ---- Where pictures come from ----

  function takeFirst(transfer) {
    const file = [...(transfer?.files ?? [])][0];
    if (file) look(file);
    else fail("That was no file. Drop or paste a picture.");
  }

  at("file").addEventListener("change", (event) => {
    if (event.target.files[0]) look(event.target.files[0]);
    event.target.value = ""; // the same picture can be chosen again
  });
  for (const kind of ["dragenter", "dragover"]) {
    addEventListener(kind, (event) => {
      event.preventDefault();
      at("drop").classList.add("over");
    });
  }
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) at("drop").classList.remove("over");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    at("drop").classList.remove("over");
    takeFirst(event.dataTransfer);
  });
  addEventListener("paste", (event) => {
    if (event.target !== at("token")) takeFirst(event.clipboardData);
  });
  at("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    token = at("token").value;
    at("token-form").hidden = true;
    at("error").hidden = true;
    at("status").textContent = "Choose the picture again.";
  });

  let stream;
  function closeCamera() {
    stream?.getTracks().forEach((track) => track.stop());
    stream = undefined;
    at("camera").hidden = true;
    at("camera-open").focus();
  }
  at("camera-open").hidden = !navigator.mediaDevices?.getUserMedia;
  at("camera-open").addEventListener("click", async () => {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      at("video").srcObject = stream;
      at("camera").hidden = false;
      await at("video").play();
      at("camera-take").focus();
    } catch {
      closeCamera();
      fail("There is no camera, or this page may not use it.");
    }
  });
  at("camera-close").addEventListener("click", closeCamera);
  at("camera-take").addEventListener("click", () => {
    const video = at("video");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((picture) => look(picture), "image/png");
    closeCamera();
  });
})();
