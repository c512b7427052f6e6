// The page's sentences, which the server has written into it.
const place = document.getElementById("words");
const sentences = new Map([...place.content.querySelectorAll("[data-word]")].map((one) => [one.dataset.word, one.textContent]));

export const { root, icons, locale } = place.dataset;

// English is that of the world, as on the node; and digits are the same in every language
const region = locale === "en" ? "en-001" : `${locale}-u-nu-latn`;

export const say = (name, values = {}) =>
  sentences.get(name).replace(/\{(\w+)\}/g, (_whole, key) => values[key]);

// between two signs without a width, a name turns no words beside it where a page runs from right to left
export const isolated = (text) => (document.documentElement.dir === "rtl" ? `\u2068${text}\u2069` : text);

export const sayCount = (name, count, values = {}) => say(count === 1 ? `${name}-1` : name, { count, ...values });

export const sayDay = (iso) => {
  const [year, month, day] = iso.split("-").map(Number);
  const date = new Date(0);
  date.setFullYear(year, month - 1, day);
  return date.toLocaleDateString(region, { dateStyle: "long" }); // as the node writes it
};

const oneDigit = new Intl.NumberFormat(region, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
export const megabytes = (bytes) => oneDigit.format(bytes / 1e6);

// the day by this device's own clock and zone
export const todayHere = () => {
  const now = new Date();
  return [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
};
