using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization.Metadata;
using VolumeManager.Catalog;

namespace VolumeManager.Admin;

/// <summary>The OpenAPI document of the admin API, made of the table of routes and of the types that they read and write.</summary>
internal static class OpenApi
{
    const string ComponentPath = "#/components/schemas/";

    static readonly Lazy<JsonObject> s_document = new(Build);

    internal static JsonObject Document => s_document.Value;

    /// <summary>As docs/openapi.json has it.</summary>
    internal static string Text => Document.ToJsonString(new JsonSerializerOptions(AdminJson.Default.Options) { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) + "\n";

    static JsonObject Build()
    {
        var schemas = new SortedDictionary<string, JsonNode>(StringComparer.Ordinal);
        var problem = new JsonObject { ["description"] = "Why it was refused, or failed (RFC 9457)", ["content"] = Content(Problem.ContentType, Reference(AdminJson.Default.Problem, isRequest: false, schemas)) };
        var paths = new JsonObject();
        foreach (var path in AdminRoutes.All.GroupBy(r => r.Path, StringComparer.Ordinal)) paths[path.Key] = new JsonObject(path.Select(r => KeyValuePair.Create(r.Method.ToLowerInvariant(), (JsonNode?)Operation(r, schemas))));
        return new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject
            {
                ["title"] = "Volume Manager",
                ["version"] = "1",
                ["description"] = "The admin API of volman: over the unix socket for root, over TLS for those who have a token. See docs/api.md.",
            },
            ["security"] = new JsonArray(new JsonObject(), new JsonObject { ["token"] = new JsonArray() }),
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["schemas"] = new JsonObject(schemas.Select(s => KeyValuePair.Create(s.Key, (JsonNode?)s.Value))),
                ["responses"] = new JsonObject { ["Problem"] = problem },
                ["securitySchemes"] = new JsonObject
                {
                    ["token"] = new JsonObject { ["type"] = "http", ["scheme"] = "bearer", ["description"] = "Over TLS only: a token of volman token create. The unix socket knows who asks, and needs none." },
                },
            },
        };
    }

    static JsonObject Operation(Route route, SortedDictionary<string, JsonNode> schemas)
    {
        var operation = new JsonObject
        {
            ["operationId"] = route.Method.ToLowerInvariant() + string.Concat(route.Path.Split('/').Skip(2).Select(s => char.ToUpperInvariant(s.Trim('{', '}')[0]) + s.Trim('{', '}')[1..])).Replace(".json", "", StringComparison.Ordinal),
            ["summary"] = route.Summary,
            ["description"] = route.IsLocal ? "Over the unix socket alone." : $"For the role {EnumText.Of(route.Role)}.",
        };
        JsonNode?[] parameters =
        [
            .. route.Names.Select(name => new JsonObject { ["name"] = name, ["in"] = "path", ["required"] = true, ["schema"] = new JsonObject { ["type"] = "string", ["minLength"] = 1 } }),
            .. route.Query.Select(q => new JsonObject { ["name"] = q.Name, ["in"] = "query", ["description"] = q.Description, ["schema"] = q.Schema }),
        ];
        if (parameters.Length > 0) operation["parameters"] = new JsonArray(parameters);
        if (route.Request is { } request)
        {
            operation["requestBody"] = new JsonObject { ["required"] = !route.IsRequestOptional, ["content"] = Content("application/json", Reference(request, isRequest: true, schemas)) };
        }

        var done = new JsonObject { ["description"] = "Done" };
        var responses = new JsonObject { ["200"] = done };
        done["content"] = Content(route.ContentType, Reference(route.Answers, isRequest: false, schemas));
        if (route.IsTagged)
        {
            done["headers"] = new JsonObject { ["ETag"] = new JsonObject { ["description"] = "The same for the same answer", ["schema"] = new JsonObject { ["type"] = "string" } } };
            responses["304"] = new JsonObject { ["description"] = "The answer is the one of the request's If-None-Match" };
        }

        responses["default"] = new JsonObject { ["$ref"] = "#/components/responses/Problem" };
        operation["responses"] = responses;
        return operation;
    }

    /// <param name="types">One content type, or several separated by commas. JSON in lines is of that schema line by line; CSV is a text.</param>
    static JsonObject Content(string types, JsonNode schema) => new(types.Split(", ").Select(type => KeyValuePair.Create(
        type, (JsonNode?)new JsonObject { ["schema"] = type.StartsWith("text/", StringComparison.Ordinal) ? new JsonObject { ["type"] = "string" } : schema.DeepClone() })));

    /// <summary>Refers to the schema of a type, and sees that it is there.</summary>
    static JsonObject Reference(JsonTypeInfo type, bool isRequest, SortedDictionary<string, JsonNode> schemas)
    {
        var name = type.Type.Name;
        if (type.Type == typeof(JsonObject)) return new JsonObject { ["type"] = "object" };
        if (schemas.TryAdd(name, new JsonObject()))
        {
            schemas[name] = type.GetJsonSchemaAsNode(new JsonSchemaExporterOptions
            {
                TreatNullObliviousAsNonNullable = true,
                TransformSchemaNode = (context, schema) => Transform(context, schema, isRequest, schemas),
            });
        }

        return new JsonObject { ["$ref"] = ComponentPath + name };
    }

    static JsonNode Transform(JsonSchemaExporterContext context, JsonNode schema, bool isRequest, SortedDictionary<string, JsonNode> schemas)
    {
        if (context.TypeInfo.Kind != JsonTypeInfoKind.Object) return schema;
        if (context.Path.Length > 0)
        {
            var reference = Reference(context.TypeInfo, isRequest, schemas);
            return context.PropertyInfo is { IsGetNullable: true } ? new JsonObject { ["anyOf"] = new JsonArray(reference, new JsonObject { ["type"] = "null" }) } : reference;
        }

        if (schema is not JsonObject told) return schema;
        // Of an answer all is there, if only as null, and later versions may add to it.
        string[] required = [.. context.TypeInfo.Properties.Where(p => !isRequest || p.IsRequired).Select(p => p.Name)];
        told.Remove("required");
        if (required.Length > 0) told["required"] = new JsonArray([.. required.Select(name => JsonValue.Create(name))]);
        if (!isRequest) told.Remove("additionalProperties");
        return schema;
    }
}
