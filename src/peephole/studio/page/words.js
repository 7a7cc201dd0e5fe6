// The page's words in English and Korean, numbers as the language writes them. Words of a tab are fetched with the tab.
const LANGUAGES = ["en", "ko"];
const words = { en: {}, ko: {} };
let current = "en";

export const languages = LANGUAGES;
export const language = () => current;

export function choose(wanted) {
  current = LANGUAGES.includes(wanted) ? wanted : navigator.languages.some((each) => each.startsWith("ko")) ? "ko" : "en";
  document.documentElement.lang = current;
}

// Fetch the words of some parts (page/i18n/LANGUAGE/PART.json) in the current language.
export const fetchWords = (...parts) => fetchIn(current, ...parts);

// The same in a language that is not chosen yet: it is chosen when its words are here, so that nobody sees a key.
export async function fetchIn(language, ...parts) {
  await Promise.all(parts.map(async (part) => {
    if (words[language][`:${part}`]) return;
    const answer = await fetch(`/page/i18n/${language}/${part}.json`);
    if (!answer.ok) throw new Error(`no words for ${part} in ${language}`);
    Object.assign(words[language], await answer.json(), { [`:${part}`]: "here" });
  }));
}

// Return a sentence with its {values} filled in; numbers in values are written as the language does.
export function t(key, values = {}) {
  const sentence = words[current][key];
  if (sentence === undefined) {
    console.error(`no words for ${key} in ${current}`);
    return key;
  }
  return sentence.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === "number" ? count(values[name]) : values[name] ?? `{${name}}`));
}

export const has = (key) => words[current][key] !== undefined;

export function count(value) {
  return new Intl.NumberFormat(current).format(value).replace("-", "−");
}

// A number with so many decimals and a true minus sign, never "-0".
export function number(value, places = 3) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const shown = new Intl.NumberFormat(current, { minimumFractionDigits: places, maximumFractionDigits: places }).format(value);
  return /[1-9]/.test(shown) ? shown.replace("-", "−") : shown.replace("-", "");
}

export function percent(value, places = 1) {
  return Number.isFinite(value) ? `${number(100 * value, places)} %` : "–";
}
