// The page's sentences, which the server has written into it.
const place = document.getElementById("words");
const sentences = new Map([...place.content.querySelectorAll("[data-word]")].map((one) => [one.dataset.word, one.textContent]));

export const { root, icons, locale } = place.dataset;

export const say = (name, values = {}) =>
  sentences.get(name).replace(/\{(\w+)\}/g, (_whole, key) => values[key]);

export const sayCount = (name, count, values = {}) => say(count === 1 ? `${name}-1` : name, { count, ...values });

export const sayDay = (iso) => {
  const [year, month, day] = iso.split("-").map(Number);
  const date = new Date(0);
  date.setFullYear(year, month - 1, day);
  return `${day} ${date.toLocaleDateString(locale, { month: "long" })} ${year}`; // as the node writes it
};

export const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

// the day by this device's own clock and zone
export const todayHere = () => {
  const now = new Date();
  return [now.getFullYear(), now.getMonth() + 1, now.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
};
