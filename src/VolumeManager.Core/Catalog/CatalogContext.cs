using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using VolumeManager.Exports;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Usage;
using VolumeManager.Volumes;

namespace VolumeManager.Catalog;

/// <summary>The catalog's tables. One model for every database; times are UTC, names are compared byte for byte.</summary>
internal sealed class CatalogContext(DbContextOptions<CatalogContext> options) : DbContext(options)
{
    public DbSet<Host> Hosts => Set<Host>();
    public DbSet<Volume> Volumes => Set<Volume>();
    public DbSet<VolumeOption> VolumeOptions => Set<VolumeOption>();
    public DbSet<VolumeLabel> VolumeLabels => Set<VolumeLabel>();
    public DbSet<FormerLabel> FormerLabels => Set<FormerLabel>();
    public DbSet<OptionChange> OptionChanges => Set<OptionChange>();
    public DbSet<Mount> Mounts => Set<Mount>();
    public DbSet<Event> Events => Set<Event>();
    public DbSet<UsageSample> UsageSamples => Set<UsageSample>();
    public DbSet<UsageDay> UsageDays => Set<UsageDay>();
    public DbSet<PublishedExport> PublishedExports => Set<PublishedExport>();
    public DbSet<ExportClient> ExportClients => Set<ExportClient>();
    public DbSet<AccessToken> AccessTokens => Set<AccessToken>();
    public DbSet<CatalogState> CatalogStates => Set<CatalogState>();

    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        ArgumentNullException.ThrowIfNull(configurationBuilder);
        configurationBuilder.Properties<DateTime>().HaveConversion<UtcConverter>();
        configurationBuilder.Properties<AccessMode>().HaveConversion<KebabCaseConverter<AccessMode>>();
        configurationBuilder.Properties<OnRemove>().HaveConversion<KebabCaseConverter<OnRemove>>();
        configurationBuilder.Properties<VolumeState>().HaveConversion<KebabCaseConverter<VolumeState>>();
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        ArgumentNullException.ThrowIfNull(modelBuilder);
        modelBuilder.Entity<Host>(host =>
        {
            host.ToTable("hosts");
            // An evicted host's name is free again: a machine that was set up anew keeps its name and has another id.
            host.HasIndex(h => h.Name).IsUnique().HasFilter("state <> 'evicted'");
        });
        modelBuilder.Entity<Volume>(volume =>
        {
            volume.ToTable("volumes");
            volume.Ignore(v => v.Options).Ignore(v => v.Labels).Ignore(v => v.Mounts);
            // A removed volume's name and directory are free again.
            volume.HasIndex(v => v.Name).IsUnique().HasFilter("state IN ('ready', 'removing', 'restoring')");
            volume.HasIndex(v => new { v.Directory, v.Export, v.Server }).HasFilter("state IN ('ready', 'removing', 'restoring')");
            volume.HasIndex(v => v.PurgeAfter).HasFilter("state IN ('trashed', 'purging', 'gone')");
            // When its last mount ended. Written and reported by SQL alone.
            volume.Property<DateTime?>("LastUsedAt");
            volume.HasIndex(v => v.Revision);
            volume.HasIndex(v => v.SampledAt).HasFilter("state = 'ready'");
        });
        modelBuilder.Entity<VolumeOption>(option =>
        {
            option.ToTable("volume_options").HasKey(o => new { o.VolumeId, o.Key });
            option.HasOne<Volume>().WithMany().HasForeignKey(o => o.VolumeId);
        });
        modelBuilder.Entity<VolumeLabel>(label =>
        {
            label.ToTable("volume_labels").HasKey(l => new { l.VolumeId, l.Key });
            label.HasOne<Volume>().WithMany().HasForeignKey(l => l.VolumeId);
        });
        modelBuilder.Entity<FormerLabel>().ToTable("former_labels").HasKey(l => new { l.VolumeId, l.Key });
        modelBuilder.Entity<OptionChange>(change =>
        {
            change.ToTable("option_changes").HasKey(c => new { c.VolumeId, c.ChangedAt, c.Key });
            change.HasOne<Volume>().WithMany().HasForeignKey(c => c.VolumeId);
        });
        modelBuilder.Entity<Mount>(mount =>
        {
            mount.ToTable("mounts").HasKey(m => new { m.VolumeId, m.HostId, m.CallerId });
            // Rule 2: while a mount exists its volume cannot be deleted, whoever tries.
            mount.HasOne<Volume>().WithMany().HasForeignKey(m => m.VolumeId).OnDelete(DeleteBehavior.Restrict);
            mount.HasOne<Host>().WithMany().HasForeignKey(m => m.HostId).OnDelete(DeleteBehavior.Restrict);
            mount.Property(m => m.Epoch).HasDefaultValue(1L);
        });
        modelBuilder.Entity<Event>(e =>
        {
            e.ToTable("events");
            e.HasIndex(x => x.VolumeId);
            // What makes a repeated delivery harmless. Rows of before there were operations have none.
            e.HasIndex(x => x.Operation).IsUnique();
            // What happened, and which mounts ended, since or at a time.
            e.HasIndex(x => x.At);
        });
        modelBuilder.Entity<UsageSample>(sample =>
        {
            sample.ToTable("usage_samples").HasKey(s => new { s.VolumeId, s.TakenAt });
            // What is deleted when its retention is over.
            sample.HasIndex(s => s.TakenAt);
        });
        modelBuilder.Entity<UsageDay>(day =>
        {
            day.ToTable("usage_daily").HasKey(d => new { d.Day, d.VolumeId });
            day.HasIndex(d => new { d.VolumeId, d.Day });
        });
        modelBuilder.Entity<PublishedExport>(export =>
        {
            export.ToTable("exports").HasKey(e => new { e.Server, e.Path });
            export.HasOne<Host>().WithMany().HasForeignKey(e => e.HostId).OnDelete(DeleteBehavior.Restrict);
        });
        modelBuilder.Entity<ExportClient>(client =>
        {
            client.ToTable("export_clients").HasKey(c => new { c.Server, c.Path, c.HostId });
            client.HasOne<PublishedExport>().WithMany().HasForeignKey(c => new { c.Server, c.Path });
            client.HasOne<Host>().WithMany().HasForeignKey(c => c.HostId).OnDelete(DeleteBehavior.Restrict);
        });
        modelBuilder.Entity<AccessToken>(token =>
        {
            token.ToTable("access_tokens").HasKey(t => t.Name);
            token.HasIndex(t => t.Hash).IsUnique();
        });
        modelBuilder.Entity<CatalogState>(state =>
        {
            state.ToTable("catalog");
            state.Property(c => c.Id).ValueGeneratedNever();
            state.HasData(new CatalogState { Id = 1 });
        });

        foreach (var entity in modelBuilder.Model.GetEntityTypes())
        {
            foreach (var property in entity.GetProperties())
            {
                property.SetColumnName(JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name));
                // Byte for byte, as SQLite compares: no locale may hold two names equal, or sort a directory away from what lies below it.
                if (Database.IsNpgsql() && property.ClrType == typeof(string)) property.SetCollation("C");
            }
        }
    }

    /// <summary>Databases keep no kind of time: what comes back is UTC, as what went in.</summary>
    sealed class UtcConverter() : ValueConverter<DateTime, DateTime>(time => time, time => DateTime.SpecifyKind(time, DateTimeKind.Utc));

    /// <summary>Enumerations are words for those who read the tables: <c>single-host</c>.</summary>
    sealed class KebabCaseConverter<T>() : ValueConverter<T, string>(value => EnumText.Of(value), text => EnumText.Parse<T>(text)!.Value)
        where T : struct, Enum;
}
