using System.Text.Json.Serialization;
using VolumeManager.Catalog;
using VolumeManager.Diagnosis;
using VolumeManager.Hosts;

namespace VolumeManager.Admin;

/// <summary>What the admin API answers to <c>volman doctor</c>.</summary>
internal static class DoctorRoutes
{
    internal static async Task<DoctorAnswer> DiagnoseAsync(HostDaemon daemon, CancellationToken cancellation) =>
        new(daemon.Host.Name, [], Views(await daemon.Doctor.DiagnoseAsync(cancellation)));

    internal static async Task<DoctorAnswer> RepairAsync(HostDaemon daemon, RepairRequest request, CancellationToken cancellation)
    {
        var outcome = await daemon.Doctor.RepairAsync(f => request.Codes?.Contains(f.Code) != false && (!f.NeedsConsent || request.Consent), cancellation);
        return new(daemon.Host.Name, Views(outcome.Repaired), Views(outcome.Left));
    }

    static IReadOnlyList<FindingView> Views(IEnumerable<Finding> findings) => [.. findings.Select(FindingView.Of)];
}

/// <param name="Repaired">What was found, was repaired, and is not found any more.</param>
/// <param name="Findings">What is so now; errors first.</param>
internal sealed record DoctorAnswer(string Host, IReadOnlyList<FindingView> Repaired, IReadOnlyList<FindingView> Findings);

/// <summary>A finding.</summary>
/// <param name="Severity"><c>error</c>, <c>warning</c> or <c>note</c>.</param>
/// <param name="Cure">What a repair does; where there is none, what to do by hand.</param>
/// <param name="NeedsConsent">It is repaired only with the consent of whoever orders it.</param>
/// <param name="Failure">Why its repair has failed just now; null when none was tried.</param>
internal sealed record FindingView(string Code, string Severity, string Subject, string Problem, string Cure, bool Repairable, bool NeedsConsent, string? Failure)
{
    internal static FindingView Of(Finding f) => new(f.Code, EnumText.Of(f.Severity), f.Subject, f.Problem, f.Cure, f.Repair is not null, f.NeedsConsent, f.Failure);
}

/// <param name="Codes">What to repair; null for all that can be.</param>
/// <param name="Consent">Also what needs consent.</param>
internal sealed record RepairRequest(IReadOnlyList<string>? Codes = null, bool Consent = false);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(DoctorAnswer))]
[JsonSerializable(typeof(RepairRequest))]
internal sealed partial class DoctorJson : JsonSerializerContext;
