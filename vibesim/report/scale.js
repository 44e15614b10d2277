/* From values to places: scales and their ticks. */
function linear(from, to, start, end) {
  const span = to - from || 1;
  const scale = (value) => start + ((value - from) / span) * (end - start);
  scale.invert = (place) => from + ((place - start) / (end - start)) * span;
  return scale;
}

function logarithmic(from, to, start, end) {
  const inner = linear(Math.log10(from), Math.log10(to), start, end);
  const scale = (value) => inner(Math.log10(Math.max(value, from)));
  scale.invert = (place) => 10 ** inner.invert(place);
  return scale;
}

/* Round values within a range: 1, 2 or 5 times a power of ten apart. */
function ticks(from, to, about) {
  const rough = (to - from) / Math.max(1, about);
  if (!(rough > 0)) return [from];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((m) => m * power >= rough) * power;
  const out = [];
  for (let value = Math.ceil(from / step) * step; value <= to + step * 1e-9; value += step) out.push(value);
  return out;
}

/* 1, 2, 5 of each power of ten, or only the powers where that would be many. */
function logTicks(from, to) {
  const out = [];
  const steps = to / from > 2000 ? [1] : to / from > 100 ? [1, 3] : [1, 2, 5];
  for (let power = Math.floor(Math.log10(from)); power <= Math.ceil(Math.log10(to)); power++)
    for (const step of steps) {
      const value = step * 10 ** power;
      if (value >= from * 0.999 && value <= to * 1.001) out.push(value);
    }
  return out;
}
