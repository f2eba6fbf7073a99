/** The tenants of a receiver: opened when they first write or when their folder is there, changed when their rules change. */
import { fail, labelsEqual, labelsFromRecord, ok, withLabels, type Labels, type Result } from "@pleiad/model";
import type { Ports } from "@pleiad/ports";
import { openTenant, type Tenant, type TenantOptions, type TenantStorage } from "./tenant.ts";
import { defaultTenantLimits, isTenantName, noTenantRules, type TenantRules } from "./tenants-file.ts";

export interface TenantSetOptions {
  /** Holds a folder a tenant. */
  readonly directory: string;
  /** Of the receiver: on the series of all tenants. */
  readonly labels: Labels;
  /** The label that has the tenant's name, where no rule gives it other labels. */
  readonly tenantLabelName: string;
  readonly tenantsMax: number;
  readonly storage: TenantStorage;
}

/** Why a request finds no tenant, as an answer's status has it. */
export interface TenantRefusal {
  readonly status: 400 | 403 | 429 | 500 | 503;
  readonly reason: string;
}

export class TenantSet {
  readonly #options: TenantSetOptions;
  readonly #ports: Ports;
  readonly #open = new Map<string, Tenant>();
  /** Those that are being opened or changed. */
  readonly #pending = new Map<string, Promise<Result<Tenant, string>>>();
  /** Those that have labels that another one is to have now: closed until they are opened with their own. */
  readonly #leaving = new Set<string>();
  #rules: TenantRules = noTenantRules;
  #isClosed = false;

  constructor(options: TenantSetOptions, ports: Ports) {
    this.#options = options;
    this.#ports = ports;
  }

  /** Those that are open, by name. */
  get all(): readonly Tenant[] {
    return [...this.#open.values()].sort((a, b) => (a.options.name < b.options.name ? -1 : 1));
  }

  /** Opens every tenant whose folder is there: what they hold is to be served before they write again. */
  async openAll(): Promise<Result<void, string>> {
    const { files } = this.#ports;
    const { directory } = this.#options;
    if (!(await files.exists(directory))) await files.makeDirectory(directory);
    for (const { name, kind } of await files.entries(directory)) {
      if (kind !== "directory" || !isTenantName(name)) continue;
      const opened = await this.#openOnce(name);
      if (!opened.ok) return opened;
    }
    return ok(undefined);
  }

  /** The tenant of a request, made if it is new. */
  async tenantOf(name: string): Promise<Result<Tenant, TenantRefusal>> {
    if (this.#isClosed) return fail({ status: 503, reason: "stopping" });
    if (!isTenantName(name)) return fail({ status: 400, reason: "the tenant's name has letters, digits, - _ . only" });
    if (!this.#rules.takesOthers && !this.#rules.tenants.has(name)) {
      return fail({ status: 403, reason: `the tenant ${name} is not known here` });
    }
    // One that is being changed is closed for a moment: the sender tries again.
    const open = this.#open.get(name);
    if (open !== undefined) return ok(open);
    if (!this.#pending.has(name) && this.#open.size + this.#pending.size >= this.#options.tenantsMax) {
      return fail({ status: 429, reason: `more than ${this.#options.tenantsMax} tenants` });
    }
    const opened = await this.#openOnce(name);
    return opened.ok ? opened : fail({ status: 500, reason: opened.failure });
  }

  /**
   * Tenants whose labels or limits are others now are closed and opened anew, one after another. Until one is open again its
   * writes are answered 503, and answers that lack it say so. False where one could not be opened: to be tried again.
   */
  async setRules(rules: TenantRules): Promise<boolean> {
    this.#rules = rules;
    // What is being opened goes by the rules before.
    await Promise.allSettled(this.#pending.values());
    await this.#closeThoseInTheWay();
    let isDone = true;
    for (const tenant of this.all) {
      const wanted = this.#optionsOf(tenant.options.name);
      if (this.#isClosed || (isSame(tenant.options, wanted) && !this.#leaving.has(wanted.name))) continue;
      const opened = await this.#openOnce(wanted.name, tenant);
      const fields = { tenant: wanted.name, ...(opened.ok ? {} : { reason: opened.failure }) };
      if (opened.ok) this.#ports.observations.log("info", "A tenant has other labels or limits now.", fields);
      else this.#ports.observations.log("error", "A tenant could not be opened with its new labels or limits.", fields);
      isDone &&= opened.ok;
    }
    return isDone;
  }

  /** Where tenants change labels with each other, each would wait for the other to leave its own. */
  async #closeThoseInTheWay(): Promise<void> {
    const { all } = this;
    const wanted = all.map(({ options: { name } }) => this.#optionsOf(name));
    const inTheWay = all.filter(({ options }, i) => {
      const own = wanted[i]?.labels ?? options.labels;
      if (this.#leaving.has(options.name) || labelsEqual(own, options.labels)) return false;
      const isWanted = wanted.some(({ labels }, j) => j !== i && labelsEqual(labels, options.labels));
      // One whose next labels are another's as well could not be opened again: it stays as it is.
      return isWanted && !wanted.some(({ labels }, j) => j !== i && labelsEqual(labels, own));
    });
    for (const { options } of inTheWay) this.#leaving.add(options.name);
    await Promise.all(inTheWay.map(async (tenant) => await tenant.close()));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#pending.values());
    const open = this.all.filter(({ options }) => !this.#leaving.has(options.name));
    await Promise.all(open.map(async (tenant) => await tenant.close()));
    this.#open.clear();
  }

  /** Requests that come together wait for one opening. */
  async #openOnce(name: string, before?: Tenant): Promise<Result<Tenant, string>> {
    const known = this.#pending.get(name);
    if (known !== undefined) return await known;
    const opening = this.#reopen(name, before);
    this.#pending.set(name, opening);
    try {
      return await opening;
    } finally {
      this.#pending.delete(name);
    }
  }

  async #reopen(name: string, before: Tenant | undefined): Promise<Result<Tenant, string>> {
    const options = this.#optionsOf(name);
    // Blocks of both would be one stream in the bucket, and overlap.
    const others = [
      ...this.all.map(({ options: own }) => (this.#leaving.has(own.name) ? this.#optionsOf(own.name) : own)),
      ...[...this.#pending.keys()].map((one) => this.#optionsOf(one)),
    ];
    const twin = others.find((one) => one.name !== name && labelsEqual(one.labels, options.labels));
    if (twin !== undefined) return fail(`tenant ${name}: its labels are those of tenant ${twin.name}`);
    if (!this.#leaving.has(name)) await before?.close();
    const opened = await openTenant(options, this.#options.storage, this.#ports);
    if (opened.ok) {
      this.#open.set(name, opened.value);
      this.#leaving.delete(name);
    }
    return opened;
  }

  #optionsOf(name: string): TenantOptions {
    const { directory, labels, tenantLabelName } = this.#options;
    const rule = this.#rules.tenants.get(name);
    return {
      name,
      directory: `${directory}/${name}`,
      labels: withLabels(rule?.labels ?? labelsFromRecord({ [tenantLabelName]: name }), labels),
      limits: { ...defaultTenantLimits, ...this.#rules.limits, ...rule?.limits },
    };
  }
}

function isSame(a: TenantOptions, b: TenantOptions): boolean {
  return (
    labelsEqual(a.labels, b.labels) &&
    a.limits.seriesMax === b.limits.seriesMax &&
    a.limits.requestBytesMax === b.limits.requestBytesMax &&
    a.limits.concurrentMax === b.limits.concurrentMax &&
    a.limits.waitingMax === b.limits.waitingMax
  );
}
