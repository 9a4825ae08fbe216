// What check.py does, with onnxruntime-web, the runtime of browsers: node check.mjs GRAPH FOLDER, where
// ONNXRUNTIME_WEB names the package's folder.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [graph, folder] = process.argv.slice(-2);
const ort = createRequire(import.meta.url)(process.env.ONNXRUNTIME_WEB);
const file = (name) => join(folder, name);
const examples = JSON.parse(readFileSync(file("examples.json")));
const bytes = Buffer.concat([readFileSync(graph), readFileSync(file("pixels_output.bin"))]);
const session = await ort.InferenceSession.create(new Uint8Array(bytes), { logSeverityLevel: 3 });
const [type, Numbers] = {
  u1: ["uint8", Uint8Array],
  "<f4": ["float32", Float32Array],
  "<f8": ["float64", Float64Array],
}[examples.dtype];
const numbers = new Numbers(new Uint8Array(readFileSync(file("examples.bin"))).buffer);

const probabilities = [], pixels = [];
let at = 0;
for (const shape of examples.shapes) {
  const n = shape.reduce((product, length) => product * length, 1);
  const example = new ort.Tensor(type, numbers.slice(at, at + n), [1, ...shape]);
  const outputs = await session.run({ [session.inputNames[0]]: example });
  probabilities.push(...outputs.probabilities.data);
  if (outputs.pixels) pixels.push(Buffer.from(outputs.pixels.data));
  at += n;
}
writeFileSync(file("probabilities.bin"), new Uint8Array(new Float64Array(probabilities).buffer));
writeFileSync(file("pixels.bin"), Buffer.concat(pixels));
console.log(ort.env.versions.web);
