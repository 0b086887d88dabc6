// What is wrong with a page for people who use a keyboard, a screen reader, or a phone; written by hand.
// Returns sentences. The argument says whether the page is laid out for a phone.
const phone = arguments[0];
const wrong = [];
const all = (css) => [...document.querySelectorAll(css)];
const seen = (element) => element.checkVisibility({ visibilityProperty: true });
const named = (element) => {
  return `${element.cloneNode(false).outerHTML.slice(0, 90)} (${element.textContent.trim().slice(0, 30)})`;
};
const nameOf = (element) =>
  (element.getAttribute("aria-label") || element.textContent || "").trim() ||
  all("img[alt], svg[aria-label]").some((picture) => element.contains(picture) && picture.getAttribute("alt"));

if (!document.documentElement.lang) wrong.push("the page has no language");
if (!document.title.trim()) wrong.push("the page has no title");
if (all("h1").filter(seen).length !== 1) wrong.push(`there are ${all("h1").filter(seen).length} first headings`);
if (all("main").length !== 1) wrong.push(`there are ${all("main").length} main parts`);

const zoom = document.querySelector("meta[name=viewport]");
if (!zoom) wrong.push("no viewport is declared");
else if (/user-scalable=no|maximum-scale/.test(zoom.content)) wrong.push("the page cannot be zoomed");

const ids = new Map();
for (const element of all("[id]")) ids.set(element.id, (ids.get(element.id) || 0) + 1);
for (const [id, count] of ids) if (count > 1) wrong.push(`the id ${id} is there ${count} times`);

for (const attribute of ["aria-describedby", "aria-labelledby", "aria-controls", "for"]) {
  for (const element of all(`[${attribute}]`)) {
    for (const id of element.getAttribute(attribute).split(/\s+/)) {
      if (!ids.has(id)) wrong.push(`${named(element)} refers to ${id}, which is not there`);
    }
  }
}

for (const field of all("input:not([type=hidden]), select, textarea")) {
  const labels = [...(field.labels || [])].filter((label) => label.textContent.trim());
  if (!labels.length && !field.getAttribute("aria-label")) wrong.push(`${named(field)} has no label`);
  if (field.type === "password" && !field.autocomplete) wrong.push(`${named(field)} does not say which password`);
}
for (const field of all("[aria-invalid=true]")) {
  const texts = (field.getAttribute("aria-describedby") || "").split(/\s+/).map((id) => document.getElementById(id));
  if (!texts.some((text) => text && seen(text) && /error/.test(text.className + text.id))) {
    wrong.push(`${named(field)} is called wrong, but not why`);
  }
}
for (const error of all(".field-error").filter(seen)) {
  const told = error.id && all(`[aria-describedby~="${CSS.escape(error.id)}"]`);
  if (!told || !told.length) wrong.push(`the error "${error.textContent.trim()}" is tied to no field`);
}
for (const element of all("a[href], button, summary").filter(seen)) {
  if (!nameOf(element)) wrong.push(`${named(element)} has no name`);
}
for (const link of all("a:not([href])")) wrong.push(`${named(link)} leads nowhere`);
for (const picture of all("img")) if (!picture.hasAttribute("alt")) wrong.push(`${named(picture)} has no alternative`);
for (const element of all("[tabindex]")) {
  if (element.tabIndex > 0) wrong.push(`${named(element)} jumps the order of the Tab key`);
}
for (const form of all("form")) {
  if (form.method === "get" && all("[type=password], [name=token]").some((field) => form.contains(field))) {
    wrong.push("a form would put a secret into the address");
  }
}
let before = 0;
for (const heading of all("h1, h2, h3, h4, h5, h6").filter(seen)) {
  const level = Number(heading.tagName[1]);
  if (level > before + 1) wrong.push(`the heading "${heading.textContent.trim()}" skips a level`);
  before = level;
}
for (const element of all("[style], [onclick], [onload], [onsubmit], style, script:not([src])")) {
  wrong.push(`${named(element)} is inline, where the content policy does not allow it`);
}

const room = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > room) {
  const wide = all("body *").filter((element) => seen(element) && element.getBoundingClientRect().right > room + 1);
  wrong.push(`the page is wider than its room of ${room}: ${wide.slice(0, 3).map(named).join(", ")}`);
}
for (const element of all("body *").filter(seen)) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  if (!own) continue;
  if (parseFloat(getComputedStyle(element).fontSize) < 12) wrong.push(`${named(element)} is smaller than 12 pixels`);
  const hidden = element.clientWidth <= 1 || element.closest(".visually-hidden, .skip");
  if (!hidden && element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX === "hidden") {
    wrong.push(`${named(element)} is cut off`);
  }
}
if (phone) {
  for (const element of all("button, input:not([type=hidden]):not([type=radio]):not([type=checkbox]), select").filter(seen)) {
    const box = element.getBoundingClientRect();
    if (box.height < 24) wrong.push(`${named(element)} is ${Math.round(box.height)} pixels high, too small for a finger`);
    if (element.matches("input, select") && parseFloat(getComputedStyle(element).fontSize) < 16) {
      wrong.push(`${named(element)} has small letters, so that a phone zooms in`);
    }
  }
}
return [...new Set(wrong)];
