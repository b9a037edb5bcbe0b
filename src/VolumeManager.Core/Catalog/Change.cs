namespace VolumeManager.Catalog;

/// <summary>
/// One transaction: statements that run in order, all or none, the same text for every database. The number of rows that one of them affects is the decision; what
/// follows from it asks in its own WHERE whether it was made, so that all can travel in one round trip.
/// </summary>
/// <remarks>Written so that running it again after a lost answer does no harm: absolute counts, ids made beforehand, events with an operation.</remarks>
internal sealed class Change
{
    Change(IReadOnlyList<FormattableString> statements, int decision)
    {
        Statements = statements;
        Decision = decision;
    }

    internal IReadOnlyList<FormattableString> Statements { get; }

    /// <summary>Which statement's row count decides.</summary>
    internal int Decision { get; }

    /// <summary>A change that others must see: it raises the catalog's revision first, whose row lock lets one change run after the other.
    /// <c>volumes.revision = (SELECT revision FROM catalog)</c> then says "changed by this transaction".</summary>
    internal static Change Of(FormattableString decision, params IEnumerable<FormattableString> consequences) =>
        new([$"UPDATE catalog SET revision = revision + 1 WHERE id = 1", decision, .. consequences], decision: 1);

    /// <summary>The same, made only while a host of a cluster has its lease, and has not joined anew since: a change that was given up for lost and arrives late does nothing.
    /// Otherwise the database refuses it whole, for a revision must not be null. Asked once the revision's row is ours, so that an eviction which came first is seen.</summary>
    internal Change By(Guid hostId, Guid instance) => Decision == 0 ? this : new(
        [
            Statements[0],
            $"""
            INSERT INTO catalog (id, revision)
            SELECT 2, NULL WHERE NOT EXISTS (SELECT 1 FROM hosts WHERE id = {hostId} AND instance_id = {instance} AND state = 'live' AND lease_expires_at > now())
            """,
            .. Statements.Skip(1),
        ],
        Decision + 1);

    /// <summary>The same with more to follow.</summary>
    internal Change Then(params IEnumerable<FormattableString> more) => new([.. Statements, .. more], Decision);

    /// <summary>A change of what is no state of a volume: events, and a host's own record.</summary>
    internal static Change Quiet(FormattableString decision, params IEnumerable<FormattableString> consequences) => new([decision, .. consequences], decision: 0);

    /// <summary>The same of statements none of which decides more than the others.</summary>
    internal static Change All(IReadOnlyList<FormattableString> statements) => new(statements, decision: 0);
}

/// <summary>A null that knows its type: PostgreSQL must be told what a parameter in a SELECT list is.</summary>
internal sealed record TypedNull(System.Data.DbType Type)
{
    internal static object Or(long? value) => value is { } known ? known : new TypedNull(System.Data.DbType.Int64);
    internal static object Or(double? value) => value is { } known ? known : new TypedNull(System.Data.DbType.Double);
    internal static object Or(Guid? value) => value is { } known ? known : new TypedNull(System.Data.DbType.Guid);

    /// <remarks>UTC: a timestamp with time zone.</remarks>
    internal static object Or(DateTime? value) => value is { } known ? known : new TypedNull(System.Data.DbType.DateTime);

    internal static object Or(string? value) => value is { } known ? known : new TypedNull(System.Data.DbType.String);
}
