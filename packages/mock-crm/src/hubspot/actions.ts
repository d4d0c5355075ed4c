import { type ControlHooks, controlError, type RecordAction } from "../control/control.ts";
import type { Collection } from "./collection.ts";
import { HubSpotError } from "./errors.ts";
import type { Portal } from "./portal.ts";
import type { HubRecord } from "./record.ts";
import { createRecord, whole } from "./routes/objects.ts";
import { checkedProperties } from "./validate.ts";

type Outcome = Record<string, unknown>;
type Handlers = { [A in RecordAction["action"]]?: (action: Extract<RecordAction, { action: A }>) => Outcome };

/** What the control endpoint can do to this account's records. */
export function hubspotActions(portal: Portal): ControlHooks {
  const handlers = recordHandlers(portal);
  return {
    apply(action) {
      const handle = handlers[action.action] as ((action: RecordAction) => Outcome) | undefined;
      if (handle === undefined) throw controlError(`HubSpot records know no action "${action.action}".`);
      portal.store.byApp = false;
      try {
        return handle(action);
      } catch (error) {
        if (error instanceof HubSpotError) throw controlError(`${error.category}: ${error.message}`);
        throw error;
      } finally {
        portal.store.byApp = true;
      }
    },
    list: (type, from, count) => {
      const collection = portal.store.collection(type);
      return collection.live.all.slice(from, from + count).map((record) => whole(collection, record));
    },
    describe: () => ({
      portal_id: portal.portalId,
      user_email: portal.userEmail,
      client_id: portal.client.clientId,
      app_id: portal.appId,
      webhooks: portal.webhooks.sender.state(),
      records: Object.fromEntries(
        portal.store.types.map(({ name }) => {
          const { live, archived } = portal.store.collection(name);
          return [name, { live: live.all.length, archived: archived.all.length }];
        }),
      ),
    }),
  };
}

function recordHandlers(portal: Portal): Handlers {
  const { store } = portal;
  const at = (type: string, id: string): [Collection, HubRecord] => {
    const collection = store.collection(type);
    const record = collection.get(id);
    if (record === undefined) throw controlError(`There is no ${collection.type.singular} ${id}.`);
    return [collection, record];
  };
  return {
    create: ({ type, fields }) => ({ id: createRecord(portal, store.collection(type), fields, []).id }),
    edit: ({ type, id, fields }) => {
      const [collection, record] = at(type, id);
      store.update(collection, record, checkedProperties(collection.type, fields));
      return { id: record.id };
    },
    delete: ({ type, id }) => {
      const collection = store.collection(type);
      store.archive(collection, store.live(collection, id));
      return { id };
    },
    undelete: ({ type, id }) => {
      store.restore(...at(type, id));
      return { id };
    },
    merge: ({ type, winner, losers }) => merge(portal, type, winner, losers),
    touch: ({ type, from, count, fields }) => touch(portal, type, from, count, fields),
    dirty: ({ type, id, fields }) => {
      const [collection, record] = at(type, id);
      store.update(collection, record, asText(fields));
      return { id: record.id };
    },
    associate: ({ from, to, unlink }) => {
      const tie = unlink ? store.untie.bind(store) : store.tie.bind(store);
      tie(store.collection(from.type), from.id, store.collection(to.type), to.id);
      return { from: from.id, to: to.id };
    },
  };
}

/** HubSpot merges two at a time; each merge makes a new record, which takes in the next. */
function merge({ store }: Portal, type: string, winner: string, losers: readonly string[]): Outcome {
  const collection = store.collection(type);
  const step = (survivor: HubRecord, id: string) => store.merge(collection, survivor, store.live(collection, id));
  return { id: losers.reduce(step, store.live(collection, winner)).id };
}

/** Edits a run of records at once; `{n}` in a value becomes a number that differs per record. */
function touch(portal: Portal, type: string, from: number, count: number, fields: Record<string, unknown>): Outcome {
  const collection = portal.store.collection(type);
  const records = collection.live.all.slice(from, from + count);
  portal.store.updateMany(collection, records, (at) => asText(fields, from + at));
  return { count: records.length };
}

function asText(fields: Record<string, unknown>, number = 0): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, String(value ?? "").replaceAll("{n}", String(number))]),
  );
}
