// What the provider remembers, in memory. Its own in-memory storage keeps the
// last 1000 entries only, so that a registered client would be forgotten after
// some two hundred sign-ins; and it has to outlive the provider object, which
// is replaced when the keys are rotated.

const EXPIRY_SWEEP_MS = 60_000;

export function createStorage() {
  const models = new Map();

  const sweep = setInterval(() => {
    for (const entries of models.values()) {
      for (const [id, entry] of entries) {
        if (entry.expires <= Date.now()) entries.delete(id);
      }
    }
  }, EXPIRY_SWEEP_MS);
  sweep.unref();

  return (model) => {
    if (!models.has(model)) models.set(model, new Map());
    return new Storage(models.get(model));
  };
}

class Storage {
  #entries;

  constructor(entries) {
    this.#entries = entries;
  }

  async upsert(id, payload, expiresIn) {
    const expires = expiresIn === undefined ? Infinity : Date.now() + expiresIn * 1000;
    this.#entries.set(id, { payload, expires });
  }

  async find(id) {
    const entry = this.#entries.get(id);
    return entry !== undefined && entry.expires > Date.now() ? entry.payload : undefined;
  }

  async findByUid(uid) {
    return this.#where((payload) => payload.uid === uid);
  }

  async consume(id) {
    const payload = await this.find(id);
    if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    this.#entries.delete(id);
  }

  async revokeByGrantId(grantId) {
    for (const [id, { payload }] of this.#entries) {
      if (payload.grantId === grantId) this.#entries.delete(id);
    }
  }

  #where(condition) {
    for (const { payload, expires } of this.#entries.values()) {
      if (expires > Date.now() && condition(payload)) return payload;
    }
    return undefined;
  }
}
