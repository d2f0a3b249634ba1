// What only the browser can do: copy the address, and save a drawn chart as a picture with the fonts it is drawn in.
const SCALE = 2, PAD = 16, LINE = 22, FAMILY = "Source Sans";
const NS = "http://www.w3.org/2000/svg";

export default function ({ parentElement, data }) {
  const row = parentElement.querySelector(".row");
  const said = parentElement.querySelector(".said");
  row.replaceChildren(...data.buttons.map(([label, act]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.onclick = async () => {
      try {
        said.textContent = await ACTS[act](data, parentElement);
      } catch (error) {
        said.textContent = `That did not work: ${error.message}`;
      }
    };
    return button;
  }));
}

const ACTS = {
  link: copyLink,
  svg: async (data) => save(new Blob([await picture(data)], { type: "image/svg+xml" }), `${data.name}.svg`),
  png: async (data) => save(await raster(await picture(data)), `${data.name}.png`),
};

async function copyLink(data, parent) {
  const address = window.location.href;
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(address);
  } else { // over plain http on another machine browsers hide the clipboard
    const field = document.createElement("textarea");
    field.value = address;
    parent.querySelector(".row").append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    if (!done) throw new Error("copy the address from the browser's address bar");
  }
  return "Copied.";
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  return "Saved.";
}

// The chart as it stands on the page, on its card's ground, under its finding.
async function picture({ card, title, foot }) {
  const holder = document.querySelector(`.st-key-${card}`);
  const drawn = holder && holder.querySelector("svg.marks, canvas.marks");
  if (!drawn) throw new Error("no chart is drawn here");
  const look = getComputedStyle(holder), box = drawn.getBoundingClientRect();
  const ink = look.color, quiet = getComputedStyle(holder.querySelector(".lh-sub") || holder).color;
  const wide = Math.ceil(box.width), lines = wrapped(title, wide), top = PAD + lines.length * LINE + 6;
  const tall = top + Math.ceil(box.height) + LINE + PAD;
  const svg = node("svg", { xmlns: NS, width: wide + 2 * PAD, height: tall, viewBox: `0 0 ${wide + 2 * PAD} ${tall}` });
  const style = node("style", {});
  style.textContent = await fontFace();
  const ground = node("rect", { width: "100%", height: "100%", fill: look.backgroundColor });
  svg.append(style, ground);
  lines.forEach((words, i) => svg.append(text(words, PAD + LINE * (i + 0.7), 17, 600, ink)));
  const place = node("g", { transform: `translate(${PAD},${top})` });
  if (drawn.tagName.toLowerCase() === "svg") {
    const copy = drawn.cloneNode(true);
    copy.setAttribute("width", box.width);
    copy.setAttribute("height", box.height);
    place.append(copy);
  } else { // a chart of thousands of marks is drawn on a canvas
    place.append(node("image", { href: drawn.toDataURL(), width: box.width, height: box.height }));
  }
  svg.append(place, text(foot, tall - PAD + 2, 12, 400, quiet));
  return new XMLSerializer().serializeToString(svg);
}

function node(name, attributes) {
  const made = document.createElementNS(NS, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}

function text(words, y, size, weight, colour) {
  const made = node("text", { x: PAD, y, fill: colour, "font-size": size, "font-weight": weight, "font-family": `${FAMILY}, sans-serif` });
  made.textContent = words;
  return made;
}

function wrapped(words, wide) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `600 17px "${FAMILY}", sans-serif`;
  return words.split(" ").reduce((lines, word) => {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    return lines.length && pen.measureText(longer).width <= wide ? [...lines.slice(0, -1), longer] : [...lines, word];
  }, []);
}

// The page's own font, inside the picture: outside the page a picture cannot ask for it.
async function fontFace() {
  for (const sheet of document.styleSheets) {
    let rules = [];
    try { rules = [...sheet.cssRules]; } catch { continue; } // a sheet of another origin
    for (const rule of rules) {
      if (!(rule instanceof CSSFontFaceRule) || rule.style.fontStyle === "italic") continue;
      if (rule.style.getPropertyValue("font-family").replace(/["']/g, "") !== FAMILY) continue;
      const found = /url\(["']?([^"')]+)["']?\)/.exec(rule.style.getPropertyValue("src"));
      const file = await fetch(new URL(found[1], sheet.href || document.baseURI));
      return `@font-face{font-family:"${FAMILY}";font-weight:200 900;src:url(${await asData(await file.blob())})}`;
    }
  }
  return "";
}

const asData = (blob) => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result);
  reader.onerror = () => failed(reader.error);
  reader.readAsDataURL(blob);
});

async function raster(svg) {
  const image = new Image();
  image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.width * SCALE;
  canvas.height = image.height * SCALE;
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}
