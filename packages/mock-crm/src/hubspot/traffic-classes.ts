import type { RouteClass } from "../shared/counters.ts";

const objects = "^/crm/(v3/objects|objects/2026-03)/[^/]+";

/** Which family and kind each call counts as; the first fitting row wins. */
export const HUBSPOT_CLASSES: readonly RouteClass[] = [
  { family: "authorize", kind: "other", methods: null, path: /^\/oauth\/authorize$/ },
  { family: "revoke", kind: "token", methods: ["POST", "DELETE"], path: /^\/oauth\/.*(revoke|refresh-tokens)/ },
  { family: "token", kind: "token", methods: null, path: /^\/oauth\// },
  { family: "account", kind: "other", methods: null, path: /^\/account-info\// },
  { family: "search", kind: "read", methods: null, path: new RegExp(`${objects}/search$`) },
  { family: "batch-read", kind: "read", methods: null, path: new RegExp(`${objects}/batch/read$`) },
  { family: "batch-write", kind: "write", methods: null, path: new RegExp(`${objects}/batch/`) },
  { family: "merge", kind: "write", methods: null, path: new RegExp(`${objects}/merge$`) },
  { family: "list", kind: "read", methods: ["GET"], path: new RegExp(`${objects}/?$`) },
  { family: "objects", kind: "read", methods: ["GET"], path: new RegExp(`${objects}/`) },
  { family: "objects", kind: "write", methods: null, path: new RegExp(objects) },
  { family: "associations", kind: "read", methods: null, path: /^\/crm\/v4\/associations\/.*\/batch\/read$/ },
  { family: "associations", kind: "read", methods: ["GET"], path: /^\/crm\/v4\// },
  { family: "associations", kind: "write", methods: null, path: /^\/crm\/v4\// },
  { family: "properties", kind: "read", methods: ["GET"], path: /^\/crm\/v3\/properties\// },
  { family: "properties", kind: "write", methods: null, path: /^\/crm\/v3\/properties\// },
  { family: "pipelines", kind: "read", methods: null, path: /^\/crm\/v3\/pipelines\// },
  { family: "owners", kind: "read", methods: null, path: /^\/crm\/v3\/owners/ },
];
