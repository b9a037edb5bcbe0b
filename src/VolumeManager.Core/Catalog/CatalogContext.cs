using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using VolumeManager.Hosts;
using VolumeManager.Mounts;
using VolumeManager.Volumes;

namespace VolumeManager.Catalog;

/// <summary>The catalog's tables. One model for every database; times are UTC, names are compared byte for byte.</summary>
internal sealed class CatalogContext(DbContextOptions<CatalogContext> options) : DbContext(options)
{
    public DbSet<Host> Hosts => Set<Host>();
    public DbSet<Volume> Volumes => Set<Volume>();
    public DbSet<VolumeOption> VolumeOptions => Set<VolumeOption>();
    public DbSet<VolumeLabel> VolumeLabels => Set<VolumeLabel>();
    public DbSet<Mount> Mounts => Set<Mount>();
    public DbSet<Event> Events => Set<Event>();

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
            host.HasIndex(h => h.Name).IsUnique();
        });
        modelBuilder.Entity<Volume>(volume =>
        {
            volume.ToTable("volumes");
            volume.Ignore(v => v.Options).Ignore(v => v.Labels).Ignore(v => v.Mounts);
            // A trashed volume's name is free again.
            volume.HasIndex(v => v.Name).IsUnique().HasFilter("state <> 'trashed'");
            volume.HasIndex(v => v.Directory).HasFilter("state <> 'trashed'");
            volume.HasIndex(v => v.PurgeAfter).HasFilter("state = 'trashed'");
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
        modelBuilder.Entity<Mount>(mount =>
        {
            mount.ToTable("mounts").HasKey(m => new { m.VolumeId, m.HostId, m.CallerId });
            // Rule 2: while a mount exists its volume cannot be deleted, whoever tries.
            mount.HasOne<Volume>().WithMany().HasForeignKey(m => m.VolumeId).OnDelete(DeleteBehavior.Restrict);
            mount.HasOne<Host>().WithMany().HasForeignKey(m => m.HostId).OnDelete(DeleteBehavior.Restrict);
        });
        modelBuilder.Entity<Event>(e =>
        {
            e.ToTable("events");
            e.HasIndex(x => x.VolumeId);
        });

        foreach (var entity in modelBuilder.Model.GetEntityTypes())
        {
            foreach (var property in entity.GetProperties()) property.SetColumnName(JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name));
        }
    }

    /// <summary>Databases keep no kind of time: what comes back is UTC, as what went in.</summary>
    sealed class UtcConverter() : ValueConverter<DateTime, DateTime>(time => time, time => DateTime.SpecifyKind(time, DateTimeKind.Utc));

    /// <summary>Enumerations are words for those who read the tables: <c>single-host</c>.</summary>
    sealed class KebabCaseConverter<T>() : ValueConverter<T, string>(value => EnumText.Of(value), text => EnumText.Parse<T>(text)!.Value)
        where T : struct, Enum;
}
