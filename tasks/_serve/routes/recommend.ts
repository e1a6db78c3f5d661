import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { UserError } from "../../../base/user_error.ts";
import { answerLine, type Dialogue, dialogueOf, type Recommended } from "../../_recommend/answer.ts";
import { type HistoryRow, itemsOf, saidBy, titledItems } from "../../_recommend/histories.ts";
import { toldFault } from "../../_recommend/told.ts";
import { DeadlinePassed, QueueFull } from "../batcher.ts";
import type { ServeEnv } from "../env.ts";
import type { Audience, OpenedRun } from "../opened_run.ts";
import { Problem, problems } from "../problem.ts";
import { AnswerSchema, type RecommendBody, recommendSchema } from "../schemas.ts";
import type { Service } from "../service.ts";

/** `POST /recommend`. */
export function addRecommendRoute(app: OpenAPIHono<ServeEnv>, service: Service): void {
  const schema = recommendSchema(service.settings);
  const route = createRoute({
    method: "post",
    path: "/recommend",
    summary: "What to show users with these histories",
    request: { body: { required: true, content: { "application/json": { schema } } } },
    responses: {
      200: { description: "Lists, one a user", content: { "application/json": { schema: AnswerSchema } } },
      ...problems(400, 401, 408, 413, 415, 422, 429, 503, 504),
    },
  });
  app.openapi(route, async (c) => {
    if (!service.isLoaded) {
      throw new Problem(503, "Cannot recommend: the run is being loaded. Try again", { "Retry-After": "1" });
    }
    const body = c.req.valid("json");
    const askers = askersOf(body);
    c.set("users", askers.length);
    const within = Math.max(
      0,
      Math.min(c.get("deadline") - performance.now(), 1000 * (body.timeout ?? Infinity)),
    );
    return await service.withRun(async (run) => {
      const { audience, denied, unknown } = choiceOf(run, body);
      const checked = askers.map((asker) => checkedOf(run, asker, { audience, denied, body }));
      const known = checked.filter(({ fault }) => fault === undefined);
      if (known.length === 0) throw new Problem(422, checked[0].fault!);
      const patience = { within, signal: c.req.raw.signal };
      const answers = await answersOf(service, run, known.map(({ asked }) => asked), audience, patience);
      const { recommender: { scoreUnit, provenance: { checkpoint } } } = run;
      return c.json({
        run: run.name,
        checkpoint,
        scoreUnit,
        ...(unknown.length > 0 && { unknown }),
        answers: checked.map((one) =>
          answerLine(
            one.row,
            one.fault === undefined ? answers[known.indexOf(one)] : { error: one.fault },
            run.lookup,
          )
        ),
      }, 200);
    });
  });
}

type Asker = NonNullable<RecommendBody["users"]>[number] & { place: string };

/** The users of a request, each with the place of what it says of them. */
function askersOf({ users, history, titles, preference, say }: RecommendBody): Asker[] {
  const single = { history, titles, preference, say };
  const given = Object.entries(single).filter(([, value]) => value !== undefined).map(([name]) => name);
  if (users && given.length > 0) {
    throw new Problem(400, `Cannot take users together with ${given.join(", ")}: each of users has its own`);
  }
  const askers = users?.map((user, i) => ({ ...user, place: `users[${i}]` })) ??
    [{ ...single, place: "the request" }];
  for (const { history, titles, place } of askers) {
    if ((history === undefined) !== (titles === undefined)) continue;
    throw new Problem(
      400,
      `Cannot recommend for ${place}: expected either history, a list of item numbers or ids, or titles, a list of ` +
        `texts, found ${history ? "both" : "neither"}`,
    );
  }
  return askers;
}

/** Which items are to choose from. Throws {@link Problem} where there are none. */
function choiceOf(run: OpenedRun, { top, categories, allow, deny }: RecommendBody) {
  const unknown = [...allow ?? [], ...deny].filter((name) => run.lookup.find(name) === undefined);
  const known = (names: readonly (string | number)[]) =>
    names.map((name) => run.lookup.find(name)).filter((item) => item !== undefined);
  const audience = asProblem(() => run.audience({ top, categories, ...allow && { allow: known(allow) } }));
  return { audience, denied: known(deny), unknown };
}

interface Checked {
  row: HistoryRow;
  asked: Dialogue;
  /** Why there is no answer. */
  fault?: string;
}

function checkedOf(
  run: OpenedRun,
  { user, history, titles, preference, say, place }: Asker,
  { audience: { allowed }, denied, body }: { audience: Audience; denied: number[]; body: RecommendBody },
): Checked {
  const { lookup, recommender } = run;
  const row: HistoryRow = {
    ...(history ? itemsOf(history, place, lookup) : titledItems(titles!, place, lookup)),
    user,
    preference,
    ...saidBy([say ?? []].flat()),
  };
  const excluded = new Set([...denied, ...(body.excludeSeen ? row.history : [])]);
  const without = allowed ? new Set([...excluded].filter((item) => allowed.has(item))) : excluded;
  const left = allowed ?? recommender.dataset.items.length;
  const none = without.size >= (typeof left === "number" ? left : left.size)
    ? `Cannot recommend for ${place}: every item that it may choose from is denied or in the history. Deny fewer`
    : undefined;
  const { provenance } = recommender;
  const told = asProblem(() =>
    toldFault({ ...recommender, provenance: { ...provenance, run: run.name } } as typeof recommender, row)
  );
  const fault = row.fault ?? none ?? told;
  return { row, asked: dialogueOf(row, without), ...(fault !== undefined && { fault }) };
}

async function answersOf(
  service: Service,
  run: OpenedRun,
  asked: readonly Dialogue[],
  audience: Audience,
  patience: { within: number; signal: AbortSignal },
): Promise<Recommended[]> {
  try {
    return await service.batcher.ask(asked, audience, patience);
  } catch (error) {
    if (error instanceof QueueFull) {
      throw new Problem(
        429,
        `Cannot recommend now: ${service.batcher.waiting} users wait already. Try again in ${error.seconds} s`,
        { "Retry-After": String(error.seconds) },
      );
    }
    if (error instanceof DeadlinePassed) {
      throw new Problem(504, "Cannot recommend in time. Ask for fewer users, or try again later");
    }
    if (patience.signal.aborted) throw new Problem(499, "The caller hung up");
    return asProblem(() => {
      throw error;
    }, run);
  }
}

/** What `work` returns; what a user can mend becomes a problem of the request. */
function asProblem<T>(work: () => T, run?: OpenedRun): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { message } = error;
    throw new Problem(
      422,
      run ? message.replaceAll(run.recommender.provenance.run, run.name) : message,
    );
  }
}
