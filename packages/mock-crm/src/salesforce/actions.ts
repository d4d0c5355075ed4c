import { type ControlHooks, controlError, type RecordAction } from "../control/control.ts";
import { SalesforceError } from "./errors.ts";
import type { Org } from "./org.ts";
import type { Row } from "./row.ts";
import { compileFields } from "./soql/select.ts";
import { Writer } from "./write.ts";

type Outcome = Record<string, unknown>;
type Handlers = { [A in RecordAction["action"]]?: (action: Extract<RecordAction, { action: A }>) => Outcome };

/** What the control endpoint can do to this org's rows. */
export function salesforceActions(org: Org): ControlHooks {
  const handlers = recordHandlers(org);
  return {
    apply(action) {
      const handle = handlers[action.action] as ((action: RecordAction) => Outcome) | undefined;
      if (handle === undefined) throw controlError(`Salesforce records know no action "${action.action}".`);
      try {
        return handle(action);
      } catch (error) {
        if (error instanceof SalesforceError) throw controlError(`${error.errorCode}: ${error.message}`);
        throw error;
      }
    },
    list: (type, from, count) => {
      const object = org.store.object(type);
      const project = compileFields(
        org.store,
        object,
        object.fields.map((field) => field.name),
        "",
      );
      return org.store
        .table(object.name)
        .byId.all.slice(from, from + count)
        .map(project);
    },
    describe: () => ({
      organization_id: org.organizationId,
      user_id: org.userId,
      client_id: org.client.clientId,
      webhooks: org.outbound.sender.state(),
      records: org.store.counts(),
    }),
  };
}

function recordHandlers(org: Org): Handlers {
  const { store } = org;
  const writer = new Writer(store, org.userId); // another person, with every right
  const existing = (name: string, id: string): Row => {
    const row = store.table(name).get(id);
    if (row === undefined) throw controlError(`There is no ${name} ${id}.`);
    return row;
  };
  return {
    create: ({ type, fields }) => ({ id: writer.create(store.object(type), fields).Id }),
    edit: ({ type, id, fields }) => ({ id: writer.update(store.object(type), id, fields).Id }),
    delete: ({ type, id }) => ({ id: writer.delete(store.object(type), id).Id }),
    undelete: ({ type, id }) => {
      const { name } = store.object(type);
      store.undelete(name, existing(name, id));
      return { id };
    },
    merge: ({ type, winner, losers }) => {
      const { name, mergeable } = store.object(type);
      if (!mergeable) throw controlError(`${name} records cannot be merged.`);
      store.merge(
        name,
        store.live(name, winner),
        losers.map((id) => store.live(name, id)),
      );
      return { id: winner };
    },
    touch: ({ type, from, count, fields }) => touch(org, type, from, count, fields),
    dirty: ({ type, id, fields }) => {
      const { name } = store.object(type);
      store.update(name, existing(name, id), fields as Record<string, string | null>, org.userId);
      return { id };
    },
  };
}

/** Edits a run of live rows at once; `{n}` in a text value becomes a number that differs per row. */
function touch(org: Org, type: string, from: number, count: number, fields: Record<string, unknown>): Outcome {
  const { name } = org.store.object(type);
  const live = org.store.table(name).byId.all.filter((row) => row.IsDeleted !== true);
  const rows = live.slice(from, from + count);
  const values = (at: number) =>
    Object.fromEntries(
      Object.entries(fields).map(([key, value]) => [
        key,
        typeof value === "string" ? value.replaceAll("{n}", String(at)) : (value as number | boolean | null),
      ]),
    );
  org.store.updateMany(name, rows, (_row, at) => values(from + at), org.userId);
  return { count: rows.length };
}
