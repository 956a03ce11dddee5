// How wide a bullet is, in em, without asking the browser for a layout.

/** The width of a text in em of the bullets' font. */
export type Measure = (text: string) => number;

export interface Fitted {
  text: string;
  width: number;
}

const longest = 40; // em: beyond this nobody can read what flies by; the list has it whole
const remembered = 512;

/**
 * The class of a width: fonts differ a little between computers, and the wall
 * must not. Always rounded up, so that the text is inside its box.
 */
export function widthClass(em: number): number {
  const step = em < 8 ? 0.5 : em < 16 ? 1 : 2;
  return Math.max(0, Math.ceil(em / step - 1e-6) * step);
}

/** A text as it flies: cut where it is too long to be read. */
export function fit(text: string, measure: Measure): Fitted {
  const whole = measure(text);
  if (whole <= longest) return { text, width: widthClass(whole) };
  const letters = [...text];
  let [fits, over] = [0, letters.length];
  const cut = (n: number): string => `${letters.slice(0, n).join("")}…`;
  while (over - fits > 1) {
    const middle = (fits + over) >> 1;
    if (measure(cut(middle)) <= longest) fits = middle;
    else over = middle;
  }
  return { text: cut(fits), width: longest };
}

/** fit with a memory: in a surge everybody shouts the same. */
export function fitter(measure: Measure): (text: string) => Fitted {
  const memory = new Map<string, Fitted>();
  return (text) => {
    let known = memory.get(text);
    if (!known) {
      known = fit(text, measure);
      if (memory.size >= remembered) memory.clear();
      memory.set(text, known);
    }
    return known;
  };
}

const sample = 100; // px: large, so that rounding does not show

/** Measures with a canvas, in the font of `element`. */
export function canvasMeasure(element: Element): Measure {
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return (text) => text.length; // never too narrow
  let family = "";
  return (text) => {
    if (family === "") {
      family = getComputedStyle(element).fontFamily || "sans-serif";
      context.font = `700 ${sample}px ${family}`;
    }
    return context.measureText(text).width / sample;
  };
}
