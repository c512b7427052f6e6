// SHA-256 and Base64 of bytes, and random ids. Over plain http a browser has neither crypto.subtle nor randomUUID.
const bits = (count, root) => {
  const found = [];
  for (let n = 2; found.length < count; n++) {
    if (found.some(([prime]) => n % prime === 0)) continue;
    found.push([n, Math.floor((root(n) % 1) * 2 ** 32)]);
  }
  return found.map(([, part]) => part);
};
const ROUNDS = bits(64, Math.cbrt);
const START = bits(8, Math.sqrt);

const padded = (bytes) => {
  const blocks = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  blocks.set(bytes);
  blocks[bytes.length] = 0x80;
  const view = new DataView(blocks.buffer);
  view.setUint32(blocks.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(blocks.length - 4, (bytes.length * 8) >>> 0);
  return view;
};

const turn = (word, by) => (word >>> by) | (word << (32 - by));

const mixed = (state, view, at, words) => {
  for (let i = 0; i < 16; i++) words[i] = view.getUint32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const near = turn(words[i - 2], 17) ^ turn(words[i - 2], 19) ^ (words[i - 2] >>> 10);
    const far = turn(words[i - 15], 7) ^ turn(words[i - 15], 18) ^ (words[i - 15] >>> 3);
    words[i] = words[i - 16] + far + words[i - 7] + near;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + ROUNDS[i] + words[i]) | 0;
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  return [a, b, c, d, e, f, g, h].map((word, i) => (word + state[i]) | 0);
};

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export const plainSha256 = (bytes) => {
  const view = padded(bytes);
  const words = new Int32Array(64);
  let state = START;
  for (let at = 0; at < view.byteLength; at += 64) state = mixed(state, view, at, words);
  return state.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
};

export const sha256 = async (bytes) =>
  globalThis.crypto?.subtle ? hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))) : plainSha256(bytes);

export const base64 = (bytes) => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
};

export const newId = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
};
