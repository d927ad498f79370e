/** Prints float32 values as the Go tools do. */

/**
 * Returns the fewest significant digits that a float32 reads back, as
 * "d.ddde±x" or "ddde±x"; of several, the nearest, and of two as near the even
 * one. v is a float32, finite and positive.
 */
function shortest(v: number): string {
  // Most floats need more than six digits.
  for (let digits = rounded(v, 5) ? 0 : 6; digits < 8; digits++) {
    const text = rounded(v, digits);
    if (text) {
      return text;
    }
  }
  return v.toExponential(8);
}

/** Returns the number with so many digits after the point, or "" where that is another float. */
function rounded(v: number, digits: number): string {
  const reads = (text: string) => Math.fround(Number(text)) === v;
  const near = v.toExponential(digits); // from the middle it goes up
  if (reads(near)) {
    const below = add(near, digits, -1);
    return /[13579]e/.test(near) && isMiddle(v, digits) && reads(below) ? below : near;
  }
  // Above a power of two floats are twice as far apart as below it.
  const above = add(near, digits, 1);
  return reads(above) ? above : "";
}

/** Whether a number lies in the middle between two with so many digits after the point. */
function isMiddle(v: number, digits: number): boolean {
  return /^50*e/.test(v.toExponential(60).replace(".", "").slice(digits + 1));
}

/** Adds to the last of the digits after the point. */
function add(text: string, digits: number, n: number): string {
  const [mantissa, exponent] = text.split("e") as [string, string];
  return `${Number(mantissa.replace(".", "")) + n}e${Number(exponent) - digits}`;
}

/** Prints a float32 like Go's strconv.FormatFloat(v, 'g', -1, 32). */
export function formatFloat32(v: number): string {
  if (v < 0 || Object.is(v, -0)) {
    return "-" + formatFloat32(-v);
  }
  if (!Number.isFinite(v)) {
    return Number.isNaN(v) ? "NaN" : "+Inf";
  }
  const double = exactFloat32(v);
  const [mantissa, exponent] = double.toExponential().split("e") as [string, string];
  const x = Number(exponent);
  if (x >= -4 && x < 6) {
    return String(double);
  }
  return `${mantissa}e${x < 0 ? "-" : "+"}${String(Math.abs(x)).padStart(2, "0")}`;
}

/** Returns the number whose JSON is the shortest that the float32 reads back, as Go's encoding/json writes it. */
export function exactFloat32(v: number): number {
  return v === 0 || !Number.isFinite(v) ? v : v < 0 ? -exactFloat32(-v) : Number(shortest(v));
}
