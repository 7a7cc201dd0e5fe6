"use strict";
// The page reads without this script; the script adds the language switch and opens for print what is closed, but for the layers of a long network.
// State lives in the URL: #ko/softmax is the section softmax in Korean.
(() => {
  const root = document.documentElement;
  const languages = ["en", "ko"];
  const names = ["alt", "aria-label", "title"];
  const english = new Map();

  const state = () => {
    const [first, ...rest] = decodeURIComponent(location.hash.slice(1)).split("/");
    return languages.includes(first) ? { language: first, place: rest.join("/") } : { language: "", place: first };
  };

  const preferred = () => ((navigator.language || "en").toLowerCase().startsWith("ko") ? "ko" : "en");

  const speak = (language) => {
    root.lang = language;
    for (const name of names) {
      for (const each of document.querySelectorAll("[data-ko-" + name + "]")) {
        if (!english.has(each)) english.set(each, {});
        const kept = english.get(each);
        if (!(name in kept)) kept[name] = each.getAttribute(name);
        each.setAttribute(name, language === "ko" ? each.getAttribute("data-ko-" + name) : kept[name]);
      }
    }
    const title = document.querySelector("title");
    if (!english.has(title)) english.set(title, title.textContent);
    document.title = language === "ko" ? title.dataset.ko : english.get(title);
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    }
    for (const link of document.querySelectorAll('a[href^="#"]')) {
      const place = link.getAttribute("href").slice(1).split("/").pop();
      link.setAttribute("href", "#" + language + "/" + place);
    }
  };

  const go = (place) => {
    const target = place && document.getElementById(place);
    if (!target) return;
    for (let each = target; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
    target.scrollIntoView();
    (target.querySelector("h2, summary") || target).focus({ preventScroll: true });
  };

  const follow = () => {
    const { language, place } = state();
    speak(language || root.dataset.chosen || preferred());
    go(place);
  };

  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      root.dataset.chosen = button.dataset.language;
      const { place } = state();
      history.replaceState(null, "", "#" + button.dataset.language + (place ? "/" + place : ""));
      speak(button.dataset.language);
    });
  }
  document.querySelector(".languages").hidden = false;
  addEventListener("hashchange", follow);

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open]):not(.deep)")];
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of closed) each.open = false;
  });
  follow();
})();
