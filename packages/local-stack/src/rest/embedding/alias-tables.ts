import {
  AliasNode,
  type FromNode,
  IdentifierNode,
  type JoinNode,
  type KyselyPlugin,
  type OperationNode,
  OperationNodeTransformer,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type QueryId,
  type QueryResult,
  type ReferenceNode,
  type RootOperationNode,
  TableNode,
  type UnknownRow,
} from "kysely";

/** Turns the made-up table names of a query into aliases of the real tables. */
export class AliasTables implements KyselyPlugin {
  readonly #transformer: Transformer;

  constructor(realNames: ReadonlyMap<string, string>) {
    this.#transformer = new Transformer(realNames);
  }

  transformQuery({ node, queryId }: PluginTransformQueryArgs): RootOperationNode {
    return this.#transformer.transformNode(node, queryId);
  }

  async transformResult({ result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    return result;
  }
}

class Transformer extends OperationNodeTransformer {
  readonly #realNames: ReadonlyMap<string, string>;

  constructor(realNames: ReadonlyMap<string, string>) {
    super();
    this.#realNames = realNames;
  }

  protected override transformFrom(node: FromNode, queryId?: QueryId): FromNode {
    const transformed = super.transformFrom(node, queryId);
    return { ...transformed, froms: transformed.froms.map((each) => this.#real(each)) };
  }

  protected override transformJoin(node: JoinNode, queryId?: QueryId): JoinNode {
    const transformed = super.transformJoin(node, queryId);
    return { ...transformed, table: this.#real(transformed.table) };
  }

  /** A query that names its schema has it put before every table; an alias is in none. */
  protected override transformReference(node: ReferenceNode, queryId?: QueryId): ReferenceNode {
    const transformed = super.transformReference(node, queryId);
    const name = transformed.table?.table.identifier.name;
    return name !== undefined && this.#realNames.has(name)
      ? { ...transformed, table: TableNode.create(name) }
      : transformed;
  }

  #real(node: OperationNode): OperationNode {
    if (AliasNode.is(node) && TableNode.is(node.node)) return { ...node, node: this.#table(node.node) } as AliasNode;
    if (!TableNode.is(node)) return node;
    const real = this.#table(node);
    return real === node ? node : AliasNode.create(real, IdentifierNode.create(node.table.identifier.name));
  }

  #table(node: TableNode): TableNode {
    const { schema, identifier } = node.table;
    const real = this.#realNames.get(identifier.name);
    if (real === undefined) return node;
    return schema ? TableNode.createWithSchema(schema.name, real) : TableNode.create(real);
  }
}
