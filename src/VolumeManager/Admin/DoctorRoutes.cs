using System.Text.Json.Serialization;
using VolumeManager.Catalog;
using VolumeManager.Diagnosis;
using VolumeManager.Volumes;

namespace VolumeManager.Admin;

/// <summary>What the admin API answers to <c>volman doctor</c>.</summary>
internal static class DoctorRoutes
{
    internal static readonly Route[] All =
    [
        new("GET", "/v1/doctor", "What differs between catalog, kernel, directories and engine, and what is wrong with the set-up of this host", DoctorJson.Default.DoctorAnswer, async call =>
            new DoctorAnswer(call.Daemon.Host.Name, [], Views(await call.Daemon.Doctor.DiagnoseAsync(call.Cancellation)))),
        new("POST", "/v1/doctor", "Repair what can be repaired safely, and tell what was and what is left", DoctorJson.Default.DoctorAnswer, async call =>
        {
            var request = await call.ReadAsync<RepairRequest>();
            if (request.Codes?.Except(Finding.Codes).FirstOrDefault() is { } unknown) throw new BadRequestException($"{Quoted.Text(unknown)} is no code of a finding: see docs/doctor.md");
            var outcome = await call.Daemon.Doctor.RepairAsync(f => request.Codes?.Contains(f.Code) != false && request.Subjects?.Contains(f.Subject) != false && (!f.NeedsConsent || request.Consent), call.Cancellation);
            return new DoctorAnswer(call.Daemon.Host.Name, Views(outcome.Repaired), Views(outcome.Left));
        }) { Request = DoctorJson.Default.RepairRequest },
    ];

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
/// <param name="Subjects">Only what is found of these; null for all.</param>
internal sealed record RepairRequest(IReadOnlyList<string>? Codes = null, bool Consent = false, IReadOnlyList<string>? Subjects = null);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(DoctorAnswer))]
[JsonSerializable(typeof(RepairRequest))]
internal sealed partial class DoctorJson : JsonSerializerContext;
