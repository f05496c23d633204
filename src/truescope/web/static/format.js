// Numbers and tokens as a person reads them.

/** Four significant digits, without an exponent in the middle range, with a real minus sign. */
export function number(value, digits = 4) {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e-3 && size < 1e5 ? String(Number(value.toPrecision(digits))) : value.toExponential(1);
  return text.replace("-", "−");
}

/** A whole number with its thousands set apart. */
export function count(n) {
  return n.toLocaleString("en");
}

/** A number with its sign written out. */
export function signed(value, digits = 3) {
  return (value > 0 ? "+" : "") + number(value, digits);
}

export function percent(share, digits = 3) {
  if (!Number.isFinite(share)) return "–";
  const value = share * 100;
  if (value !== 0 && Math.abs(value) < 0.1) return "< 0.1 %";
  return `${number(value, Math.abs(value) >= 99 && Math.abs(value) < 100 ? 4 : digits)} %`;
}

/** "0.91–0.97", or one number where both ends read the same; the unit is written once. */
export function range([low, high], write = (value) => number(value, 3)) {
  const ends = [write(low), write(high)];
  return ends[0] === ends[1] ? ends[0] : `${ends[0].replace(/ %$/, "")}–${ends[1]}`;
}

/** A token with its spaces and line ends made visible. */
export function token(text) {
  if (text === "") return "∅";
  return text.replaceAll(" ", "␣").replaceAll("\n", "↵").replaceAll("\t", "⇥");
}

/** snake_case as words. */
export function words(name) {
  return String(name).replaceAll("_", " ");
}

export function clip(text, length) {
  return text.length > length ? text.slice(0, length - 1) + "…" : text;
}
