import { invalid } from "./errors.ts";
import type { ObjectName } from "./schema/objects.ts";

export interface AssociationType {
  typeId: number;
  /** The name in v3 list answers. */
  name: string;
  /** The label in v4 answers; unlabelled types have none. */
  label: string | null;
}

export interface Link {
  toId: string;
  typeIds: readonly number[];
}

/** From the child to its parent. */
const PARENT = 14;

const TYPES: Record<string, AssociationType[]> = {
  "contacts:companies": pair(279, 1, "contact_to_company"),
  "companies:contacts": pair(280, 2, "company_to_contact"),
  "deals:companies": pair(341, 5, "deal_to_company"),
  "companies:deals": pair(342, 6, "company_to_deal"),
  "deals:contacts": [{ typeId: 3, name: "deal_to_contact", label: null }],
  "companies:companies": [
    { typeId: PARENT, name: "child_to_parent_company", label: "Parent Company" },
    { typeId: 13, name: "parent_to_child_company", label: "Child Company" },
    { typeId: 450, name: "company_to_company_unlabeled", label: null },
  ],
  "contacts:deals": [{ typeId: 4, name: "contact_to_deal", label: null }],
};

/** Type ids of the other direction of one and the same tie. */
const PAIRS = [
  [279, 280],
  [1, 2],
  [341, 342],
  [5, 6],
  [3, 4],
  [13, 14],
  [450, 450],
] as const;
const INVERSE: Record<number, number> = Object.fromEntries(
  PAIRS.flatMap(([left, right]) => [
    [left, right],
    [right, left],
  ]),
);
const PRIMARY = new Set([1, 2, 5, 6]);

function pair(plain: number, primary: number, name: string): AssociationType[] {
  return [
    { typeId: primary, name, label: "Primary" },
    { typeId: plain, name: `${name}_unlabeled`, label: null },
  ];
}

export function associationTypes(from: ObjectName, to: ObjectName): readonly AssociationType[] {
  const types = TYPES[`${from}:${to}`];
  if (types === undefined) throw invalid(`There is no association between ${from} and ${to}`);
  return types;
}

/** Lists kept per direction; most records have one or two links, so arrays beat maps. */
export class Associations {
  private readonly links = new Map<string, Map<string, Link[]>>();

  of(from: ObjectName, id: string, to: ObjectName): readonly Link[] {
    return this.direction(from, to).get(id) ?? [];
  }

  /** Ties two records both ways. The first company of a record becomes its primary one. */
  tie(from: ObjectName, fromId: string, to: ObjectName, toId: string, typeIds?: readonly number[]): void {
    const known = associationTypes(from, to);
    const wanted = typeIds ?? this.defaultTypes(from, fromId, to);
    for (const typeId of wanted) {
      if (!known.some((type) => type.typeId === typeId))
        throw invalid(`Association type ${typeId} does not fit ${from} to ${to}`);
    }
    // A contact or deal has one primary company; a company may be that of many.
    if (wanted.some((typeId) => PRIMARY.has(typeId)))
      if (from === "companies") this.demote(to, toId, from);
      else this.demote(from, fromId, to);
    this.put(from, fromId, to, toId, wanted);
    this.put(
      to,
      toId,
      from,
      fromId,
      wanted.map((typeId) => INVERSE[typeId] ?? typeId),
    );
  }

  untie(from: ObjectName, fromId: string, to: ObjectName, toId: string): void {
    this.remove(from, fromId, to, toId);
    this.remove(to, toId, from, fromId);
  }

  /** Re-points every link of one record at another: what a merge does. */
  move(type: ObjectName, oldId: string, newId: string): void {
    for (const [key, records] of this.links) {
      const [from, to] = key.split(":") as [ObjectName, ObjectName];
      if (from !== type) continue;
      for (const { toId, typeIds } of [...(records.get(oldId) ?? [])]) {
        this.untie(from, oldId, to, toId);
        this.tie(from, newId, to, toId, typeIds);
      }
    }
  }

  primary(from: ObjectName, id: string, to: ObjectName): string | null {
    return this.of(from, id, to).find((link) => link.typeIds.some((typeId) => PRIMARY.has(typeId)))?.toId ?? null;
  }

  parent(id: string): string | null {
    return this.of("companies", id, "companies").find((link) => link.typeIds.includes(PARENT))?.toId ?? null;
  }

  clear(): void {
    this.links.clear();
  }

  private defaultTypes(from: ObjectName, fromId: string, to: ObjectName): readonly number[] {
    const types = associationTypes(from, to);
    const takesPrimary = to === "companies" && from !== to && this.of(from, fromId, to).length === 0;
    return types
      .filter((type) => type.label === null || (takesPrimary && PRIMARY.has(type.typeId)))
      .map((type) => type.typeId);
  }

  private demote(from: ObjectName, fromId: string, to: ObjectName): void {
    for (const link of this.of(from, fromId, to)) {
      this.keepOnlyPlain(from, fromId, to, link.toId);
      this.keepOnlyPlain(to, link.toId, from, fromId);
    }
  }

  private keepOnlyPlain(from: ObjectName, fromId: string, to: ObjectName, toId: string): void {
    const link = this.of(from, fromId, to).find((candidate) => candidate.toId === toId);
    if (link !== undefined) link.typeIds = link.typeIds.filter((typeId) => !PRIMARY.has(typeId));
  }

  private put(from: ObjectName, fromId: string, to: ObjectName, toId: string, typeIds: readonly number[]): void {
    const records = this.direction(from, to);
    const links = records.get(fromId);
    const link = links?.find((candidate) => candidate.toId === toId);
    if (link !== undefined) link.typeIds = [...new Set([...link.typeIds, ...typeIds])];
    else if (links !== undefined) links.push({ toId, typeIds });
    else records.set(fromId, [{ toId, typeIds }]);
  }

  private remove(from: ObjectName, fromId: string, to: ObjectName, toId: string): void {
    const records = this.direction(from, to);
    const rest = (records.get(fromId) ?? []).filter((link) => link.toId !== toId);
    if (rest.length === 0) records.delete(fromId);
    else records.set(fromId, rest);
  }

  private direction(from: ObjectName, to: ObjectName): Map<string, Link[]> {
    const key = `${from}:${to}`;
    const known = this.links.get(key);
    if (known !== undefined) return known;
    const fresh = new Map<string, Link[]>();
    this.links.set(key, fresh);
    return fresh;
  }
}
