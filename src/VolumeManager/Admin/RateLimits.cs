using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;

namespace VolumeManager.Admin;

/// <summary>How often and how much at a time may be asked over TLS. What is not asked for again is forgotten by itself.</summary>
internal sealed class RateLimits
{
    readonly PartitionedRateLimiter<IPAddress> _addresses = PartitionedRateLimiter.Create<IPAddress, IPAddress>(address => Bucket(NetworkOf(address), burst: 200, perSecond: 50));
    readonly PartitionedRateLimiter<string> _tokens = PartitionedRateLimiter.Create<string, string>(token => Bucket(token, burst: 100, perSecond: 25));

    static readonly TimeSpan s_failurePeriod = TimeSpan.FromSeconds(6);

    // Ten at once, and then one in six seconds: nobody mistypes faster, and each costs a question to the catalog.
    readonly PartitionedRateLimiter<IPAddress> _failures = PartitionedRateLimiter.Create<IPAddress, IPAddress>(address => RateLimitPartition.GetTokenBucketLimiter(
        NetworkOf(address), _ => new TokenBucketRateLimiterOptions { TokenLimit = 10, TokensPerPeriod = 1, ReplenishmentPeriod = s_failurePeriod }));

    // Two of the connections to the catalog's database at most are theirs: the engine's questions find another. What is streamed may take hours.
    readonly PartitionedRateLimiter<Route> _turns = PartitionedRateLimiter.Create<Route, bool>(route => RateLimitPartition.GetConcurrencyLimiter(
        route.IsStreamed, isStreamed => new ConcurrencyLimiterOptions { PermitLimit = isStreamed ? 4 : 2, QueueLimit = isStreamed ? 0 : 32 }));

    /// <returns>How long the address has to wait; null when it need not.</returns>
    internal TimeSpan? AddressWait(IPAddress address) => Wait(_addresses.AttemptAcquire(address));

    /// <returns>How long the token of that name has to wait; null when it need not.</returns>
    internal TimeSpan? TokenWait(string token) => Wait(_tokens.AttemptAcquire(token));

    /// <returns>How long no unknown token of the address is looked at; null when it is.</returns>
    internal TimeSpan? FailureWait(IPAddress address) => _failures.GetStatistics(address) is { CurrentAvailablePermits: < 1 } ? s_failurePeriod : null;

    internal void CountFailure(IPAddress address) => _failures.AttemptAcquire(address).Dispose();

    internal ValueTask<RateLimitLease> TakeTurnAsync(Route route, CancellationToken cancellation) => _turns.AcquireAsync(route, 1, cancellation);

    static TimeSpan? Wait(RateLimitLease lease)
    {
        using (lease)
        {
            if (lease.IsAcquired) return null;
            return lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : TimeSpan.FromSeconds(1);
        }
    }

    static RateLimitPartition<T> Bucket<T>(T key, int burst, int perSecond) => RateLimitPartition.GetTokenBucketLimiter(
        key, _ => new TokenBucketRateLimiterOptions { TokenLimit = burst, TokensPerPeriod = perSecond, ReplenishmentPeriod = TimeSpan.FromSeconds(1) });

    /// <summary>Of IPv6 the network of 64 bits, all of whose addresses one machine may have.</summary>
    static IPAddress NetworkOf(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4()
        : address.AddressFamily == AddressFamily.InterNetworkV6 ? new IPAddress([.. address.GetAddressBytes()[..8], .. new byte[8]])
        : address;
}
