import { type Db, DbFailure } from "./types.ts";

/** What a statement answers, found by a name that is in its text. */
export type Answers = Record<string, (params: readonly unknown[]) => unknown[]>;

/** A database that answers from a table, and fails a statement that is not in it. */
export function answering(answers: Answers): Db {
  const db: Db = {
    query: async <T>(text: string, params: readonly unknown[] = []) => {
      const name = Object.keys(answers).find((candidate) => text.includes(candidate));
      if (name === undefined) throw new Error(`the fake database does not know: ${text}`);
      return (answers[name]?.(params) ?? []) as T[];
    },
    tx: (run) => run(db),
    asUser: (_, run) => run(db),
    end: async () => {},
  };
  return db;
}

const RANK = ["viewer", "member", "admin", "owner"];

/** private.require_role, for people of one workspace: a stranger learns nothing, others which role it takes. */
export function roleCheck(workspace: string, roles: Readonly<Record<string, string>>): Answers {
  return {
    "private.require_role": ([asked, role, user]) => {
      const has = roles[String(user)];
      if (has === undefined || asked !== workspace)
        throw new DbFailure({ code: "PC001", message: "There is no such workspace." });
      if (RANK.indexOf(has) < RANK.indexOf(String(role)))
        throw new DbFailure({ code: "PC002", message: `This needs the role ${role}.` });
      return [];
    },
  };
}
