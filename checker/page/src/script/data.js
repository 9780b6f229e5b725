// Tables as columns.rs packs them: typed arrays behind each other in one buffer, the largest number of a width standing for null.

const WIDTHS = { 1: [Uint8Array, 0xff], 2: [Uint16Array, 0xffff], 4: [Uint32Array, 0xffffffff], 8: [BigUint64Array, 0xffffffffffffffffn] };

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes.buffer;
}

class Table {
  constructor(spec, buffer) {
    this.rows = spec.rows;
    this.texts = spec.texts || [];
    this.columns = {};
    this.numbersOf = {};
    for (const [name, column] of Object.entries(spec.columns)) {
      if (column.at === undefined) {
        this.columns[name] = { all: column.all };
        continue;
      }
      const [type, nothing] = WIDTHS[column.width];
      this.columns[name] = { values: new type(buffer, column.at, spec.rows), nothing };
    }
  }

  // A value: null, a number, or a BigInt where a number would not be exact.
  get(name, row) {
    const column = this.columns[name];
    if (column.values === undefined) return column.all;
    const value = column.values[row];
    if (value === column.nothing) return null;
    if (typeof value !== "bigint") return value;
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }

  // A whole column for loops that run on every frame; NaN stands for null.
  numbers(name) {
    if (this.numbersOf[name] === undefined) {
      const all = new Float64Array(this.rows);
      for (let row = 0; row < this.rows; row += 1) {
        const value = this.get(name, row);
        all[row] = value === null ? NaN : Number(value);
      }
      this.numbersOf[name] = all;
    }
    return this.numbersOf[name];
  }

  // The row with this seq, or -1; rows stand in the order of seq.
  bySeq(seq) {
    const all = this.numbers("seq");
    const at = lowerBound(all, seq);
    return at < all.length && all[at] === seq ? at : -1;
  }
}

// The first place in rising values, from a place on, whose value is not below the given one.
function lowerBound(values, value, first = 0) {
  let low = first;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
